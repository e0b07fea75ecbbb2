# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Pretrained weights from a file or from torchvision, with an error that says what cures it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from monai_anomaly.utils.exceptions import WeightsError

if TYPE_CHECKING:  # the import takes longer than all scoring of an image
    from torchvision.models import WeightsEnum

__all__ = ["download_state_dict", "entry", "file_origin", "load_tensors", "read_state_dict"]


def read_state_dict(path: Path, source: str, *, key: str, holding: str, cure: str) -> Mapping[str, Tensor]:
    """Read the state dict in a file, alone or within other mappings (``{"model": {...}}``).

    Args:
        path: a file of ``torch.save``; nothing in it but tensors and plain values.
        source: what messages call the file.
        key: a name that the state dict must have, to know it by.
        holding: what a file without it does not hold.
        cure: what to give instead, as the end of a sentence.

    Raises:
        WeightsError: when the file is missing or cannot be read, or there is no such state dict in it.
    """
    content = load_tensors(path, source, cure)
    state = _find(content, key)
    if state is None:
        raise WeightsError(f"{source} hold no {holding} (key {key!r} is missing); {cure}.")
    return state


def load_tensors(path: Path, source: str, cure: str) -> Any:
    """Load what a file of ``torch.save`` holds; nothing but tensors and plain values. Arguments as above."""
    if not path.is_file():
        raise WeightsError(f"{source}: no such file; {cure}.")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(
            f"{source} cannot be read as a state dict of tensors ({type(error).__name__}); "
            "save it with torch.save(network.state_dict(), file)."
        ) from error
    return content


def _find(content: Any, key: str) -> Mapping[str, Tensor] | None:
    """Return the first mapping with a tensor of that name in it, at the top or below."""
    if not isinstance(content, Mapping):
        return None
    if isinstance(content.get(key), Tensor):
        return content
    return next((found for value in content.values() if (found := _find(value, key)) is not None), None)


def entry(state: Mapping[str, Tensor], key: str, shape: Sequence[int], source: str) -> Tensor:
    """Return a tensor of a state dict.

    Args:
        state: the state dict.
        key: the tensor's name.
        shape: the shape that it must have.
        source: what messages call the state dict.

    Raises:
        WeightsError: when there is no such tensor, or it has another shape.
    """
    if key not in state:
        raise WeightsError(f"{source}: {key!r} is missing; give the weights of this architecture.")
    if state[key].shape != torch.Size(shape):
        raise WeightsError(
            f"{source}: {key!r} has shape {tuple(state[key].shape)}, not {tuple(shape)}; "
            "give the weights of this architecture."
        )
    return state[key]


def file_origin(path: Path) -> str:
    """Say in a few words which file weights are from: by its digest, not by where it lies."""
    return f"file sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


def download_state_dict(weights: WeightsEnum, cure: str) -> Mapping[str, Tensor]:
    """Take torchvision's weights from its cache, or downloads them into it.

    Args:
        weights: which ones.
        cure: what to do without internet, as the end of a sentence.

    Raises:
        WeightsError: when they are neither cached nor reachable.
    """
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"torchvision's {weights} is not in the cache ({torch.hub.get_dir()}) and could not be downloaded "
            f"({error}). Without internet, {cure}."
        ) from error
