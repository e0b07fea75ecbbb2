# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Checkpoints as files: tensors and plain values, written whole or not at all, read without running any code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, BinaryIO

import torch
from torch import Tensor

from monai_anomaly.utils.atomic import atomic_copy, atomic_path
from monai_anomaly.utils.exceptions import CheckpointError
from monai_anomaly.utils.seal import check_seal, seal

__all__ = [
    "check_spec",
    "earlier_path",
    "equal_weights",
    "load_checkpoint",
    "load_hashed_checkpoint",
    "previous_path",
    "require_checkpoint",
    "save_checkpoint",
    "set_aside",
    "to_cpu",
]

_KINDS: Mapping[str, type] = {
    "model": Mapping,
    "spec": Mapping,
    "spec.detector": str,
    "spec.network": Mapping,
    "spec.preprocessing": Mapping,
}
"""What every checkpoint holds."""
_OPTIONAL: Mapping[str, type] = {
    "spec.data": Mapping,
    "spec.data.frames": str,
    "spec.data.split_seed": int,
    "spec.data.split_shares": Sequence,
    "data": Mapping,
    "map_range": Sequence,
    "guard": Mapping,
    "fingerprints": Tensor,
}
"""What it may hold beside."""

logger = logging.getLogger(__name__)


def save_checkpoint(content: Mapping[str, Any], path: str | os.PathLike[str], *, keep: bool = False) -> None:
    """Save tensors (moved to the CPU) and plain values, whole or not at all, with a digest of the bytes.

    MONAI's `CheckpointSaver` forces a write in place, so a full disk or a kill in the middle costs the only copy.

    Args:
        content: what to save.
        path: the file to make or replace.
        keep: whether the file that is replaced stays, as :func:`previous_path`.

    Raises:
        CheckpointError: when the file cannot be written; what was at `path` is untouched.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    try:
        with atomic_path(path) as temporary:
            with open(temporary, "w+b") as file:
                torch.save(to_cpu(content), file)
                seal(file)
            if keep and os.path.isfile(path):
                atomic_copy(path, previous_path(path))
    except (OSError, RuntimeError) as error:  # PyTorch's writer reports a full disk as either
        raise CheckpointError(
            f"cannot write the checkpoint '{os.fspath(path)}': {error}; the last one is untouched. Free some space or "
            "name another folder, then resume."
        ) from error


def previous_path(path: str | os.PathLike[str]) -> Path:
    """Where the file is kept that was saved before this one: ``checkpoint.previous.pt`` for ``checkpoint.pt``."""
    return Path(path).with_suffix(f".previous{Path(path).suffix}")


def earlier_path(path: str | os.PathLike[str]) -> Path:
    """Where an earlier run's file is kept, when a training starts anew: ``model.earlier.pt`` for ``model.pt``."""
    return Path(path).with_suffix(f".earlier{Path(path).suffix}")


def set_aside(path: str | os.PathLike[str]) -> None:
    """Rename an earlier run's file to :func:`earlier_path`, so that nobody takes it for this run's; none is no matter.

    Raises:
        CheckpointError: when it cannot be renamed.
    """
    if not os.path.isfile(path):
        return
    try:
        os.replace(path, earlier_path(path))
    except OSError as error:
        raise CheckpointError(
            f"'{os.fspath(path)}' of an earlier run cannot be renamed ({error.strerror}): move it away."
        ) from error
    logger.warning("'%s' of an earlier run is '%s' now.", os.fspath(path), earlier_path(path).name)


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Load a checkpoint of this package onto the CPU, with `weights_only=True`.

    Raises:
        CheckpointError: when there is none, it is damaged, or something else made it.
    """
    return load_hashed_checkpoint(path)[0]


def load_hashed_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Any], str]:
    """Load a checkpoint as :func:`load_checkpoint` does, and hash it, in one opening: both are of the same file.

    Returns:
        its content, and the SHA-256 of the file, 64 hexadecimal digits.

    Raises:
        CheckpointError: when there is none, it is damaged, or something else made it.
    """
    require_checkpoint(path)
    with open(path, "rb") as file:
        intact, file_hash = check_seal(file)
        if intact is None:
            logger.warning("'%s' has no digest, so that nobody would notice if it were damaged.", os.fspath(path))
        file.seek(0)
        if intact is False and _is_archive(file):
            raise CheckpointError(
                f"the checkpoint '{os.fspath(path)}' is damaged: its bytes are not those that were written; "
                f"{_way_back(Path(path))}."
            )
        return _load(file, Path(path)), file_hash


def _is_archive(file: BinaryIO) -> bool:
    """Whether a file is of a kind that has a digest; what is not is refused for what it is."""
    start = file.read(4)
    file.seek(0)
    return start == b"PK\x03\x04"


def _way_back(path: Path) -> str:
    """Return what to do about a file that is damaged."""
    previous, checkpoint = previous_path(path), path.with_name("checkpoint.pt")
    if previous.is_file():
        return f"the one saved before it is '{previous}': rename that to '{path.name}' and go on with --resume True"
    if path.name == "model.pt" and checkpoint.is_file():
        return f"train with --resume True, which writes it again from '{checkpoint.name}', or name another file"
    return "train again, or name another file"


def require_checkpoint(path: str | os.PathLike[str]) -> None:
    """Refuse a path at which there is no file.

    Raises:
        CheckpointError: saying so.
    """
    if os.path.isfile(path):
        return
    earlier = earlier_path(path)
    hint = f"; that of an earlier run is '{earlier}'" if earlier.is_file() else ""
    raise CheckpointError(
        f"there is no checkpoint '{os.fspath(path)}': train first (run training), or name another file{hint}."
    )


def _load(file: BinaryIO, path: Path) -> dict[str, Any]:
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"the checkpoint '{path}' cannot be read: it is damaged or holds more than tensors and plain values; "
            f"{_way_back(path)}."
        ) from error
    _check_kinds(content, path)
    return dict(content)


def _check_kinds(content: Any, path: Path) -> None:
    """Refuse weights and settings that are something else."""
    wrong = [key for key, kind in _KINDS.items() if not isinstance(_find(content, key), kind)]
    wrong += [key for key, kind in _OPTIONAL.items() if not isinstance(_find(content, key), (kind, NoneType))]
    if wrong:
        raise CheckpointError(
            f"'{path}' is not a checkpoint of this package: {', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} "
            "missing or of another kind; name another file."
        )


def _find(content: Any, key: str) -> Any:
    """Return a value below others; None where one of them holds no names."""
    for name in key.split("."):
        content = content.get(name) if isinstance(content, Mapping) else None
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


def equal_weights(some: Any, others: Any) -> bool:
    """Return whether two state dicts hold the same tensors and values, bit for bit but for the device."""
    if isinstance(some, Tensor) and isinstance(others, Tensor):
        return torch.equal(some.detach().cpu(), others.detach().cpu())
    if isinstance(some, Mapping) and isinstance(others, Mapping):
        return some.keys() == others.keys() and all(equal_weights(some[key], others[key]) for key in some)
    return type(some) is type(others) and bool(some == others)


def to_cpu(value: Any) -> Any:
    """Move tensors in mappings and lists to the CPU, without gradients; other values stay.

    Equal texts become one object, as which they are saved, so that equal contents are equal bytes.
    """
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, str):
        return sys.intern(str(value))
    if isinstance(value, Mapping):
        return {to_cpu(k): to_cpu(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(to_cpu(v) for v in value)
    return value
