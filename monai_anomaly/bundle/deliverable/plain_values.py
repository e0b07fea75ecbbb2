# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Tensors and plain values as JSON, so that anybody can read what a file says without running anything of it."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["from_plain", "to_plain"]

_DTYPES = {"float32": torch.float32, "float64": torch.float64, "int64": torch.int64, "bool": torch.bool}
_TENSOR = frozenset(("dtype", "shape", "base64"))


def to_plain(value: Any) -> Any:
    """Return a value as JSON has it: a tensor as its type, shape and bytes, a number that is not finite as its name.

    Args:
        value: tensors, numbers, texts and None, in mappings with names and in lists.

    Raises:
        TypeError: for anything else.
    """
    if isinstance(value, Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        if kind not in _DTYPES:
            raise TypeError(f"a tensor of {kind} cannot be kept in JSON.")
        data = value.detach().cpu().contiguous().numpy()
        return {"dtype": kind, "shape": list(value.shape), "base64": base64.b64encode(data.tobytes()).decode("ascii")}
    if isinstance(value, Mapping):
        return {str(key): to_plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a value of {type(value).__name__} cannot be kept in JSON.")


def from_plain(value: Any) -> Any:
    """Undo :func:`to_plain`; tuples come back as lists.

    Raises:
        ValueError: for a tensor that is none.
    """
    if isinstance(value, list):
        return [from_plain(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"float"}:
        return float(value["float"])
    return _tensor(value) if value.keys() == _TENSOR else {key: from_plain(inner) for key, inner in value.items()}


def _tensor(value: Mapping[str, Any]) -> Tensor:
    try:
        data, dtype = bytearray(base64.b64decode(value["base64"], validate=True)), _DTYPES[value["dtype"]]
        flat = torch.frombuffer(data, dtype=dtype) if data else torch.zeros(0, dtype=dtype)
        return flat.reshape(value["shape"])
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError("a tensor is damaged") from error
