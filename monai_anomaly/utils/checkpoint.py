# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Checkpoints as files: tensors and plain values, written whole or not at all, read without running any code."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from monai_anomaly.utils.atomic import atomic_path
from monai_anomaly.utils.exceptions import CheckpointError

__all__ = ["check_spec", "load_checkpoint", "load_hashed_checkpoint", "require_checkpoint", "save_checkpoint", "to_cpu"]

_PART = 2**20  # bytes that are hashed at once


def save_checkpoint(content: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Save tensors (moved to the CPU) and plain values, whole or not at all.

    MONAI's `CheckpointSaver` forces a write in place, so a full disk or a kill in the middle costs the only copy.

    Raises:
        CheckpointError: when the file cannot be written; what was at `path` is untouched.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    try:
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            torch.save(to_cpu(content), file)
    except (OSError, RuntimeError) as error:  # PyTorch's writer reports a full disk as either
        raise CheckpointError(
            f"cannot write the checkpoint '{os.fspath(path)}': {error}; the last one is untouched. Free some space or "
            "name another folder, then resume."
        ) from error


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Load a checkpoint of this package onto the CPU, with `weights_only=True`.

    Raises:
        CheckpointError: when there is none, it is damaged, or something else made it.
    """
    require_checkpoint(path)
    with open(path, "rb") as file:
        return _load(file, os.fspath(path))


def load_hashed_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Any], str]:
    """Load a checkpoint as :func:`load_checkpoint` does, and hash it, in one opening: both are of the same file.

    Returns:
        its content, and the SHA-256 of the file, 64 hexadecimal digits.

    Raises:
        CheckpointError: when there is none, it is damaged, or something else made it.
    """
    require_checkpoint(path)
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while part := file.read(_PART):
            digest.update(part)
        file.seek(0)
        return _load(file, os.fspath(path)), digest.hexdigest()


def require_checkpoint(path: str | os.PathLike[str]) -> None:
    """Refuse a path at which there is no file.

    Raises:
        CheckpointError: saying so.
    """
    if not os.path.isfile(path):
        raise CheckpointError(
            f"there is no checkpoint '{os.fspath(path)}': train first (run training), or name another file."
        )


def _load(file: BinaryIO, name: str) -> dict[str, Any]:
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"the checkpoint '{name}' cannot be read: it is damaged or holds more than tensors and plain values; "
            "train again, or name another file."
        ) from error
    if not isinstance(content, dict) or "model" not in content or "spec" not in content:
        raise CheckpointError(
            f"'{name}' is not a checkpoint of this package: it has no 'model' and 'spec'; name another file."
        )
    return content


def check_spec(saved: Mapping[str, Any], wanted: Mapping[str, Any], path: str) -> None:
    """Compare how a checkpoint's detector was made with how this one is.

    Raises:
        CheckpointError: naming every difference.
    """
    differences = _differences(saved, wanted)
    if differences:
        raise CheckpointError(
            f"the checkpoint '{path}' was made with other settings: {'; '.join(differences)}. "
            "Use the settings of its training, or another checkpoint."
        )


def _differences(saved: Any, wanted: Any, where: str = "") -> list[str]:
    if isinstance(saved, Mapping) and isinstance(wanted, Mapping):
        keys = sorted(saved.keys() | wanted.keys())
        return [d for k in keys for d in _differences(saved.get(k), wanted.get(k), f"{where}.{k}" if where else k)]
    if isinstance(saved, (list, tuple)) and isinstance(wanted, (list, tuple)):
        saved, wanted = list(saved), list(wanted)
    return [] if saved == wanted else [f"{where} is {saved!r} there and {wanted!r} here"]


def to_cpu(value: Any) -> Any:
    """Move tensors in mappings and lists to the CPU, without gradients; other values stay."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, Mapping):
        return {k: to_cpu(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(to_cpu(v) for v in value)
    return value
