# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The numbers in a trainer's output, for the stock handlers' `output_transform`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

__all__ = ["scalars"]

_NOT_LOSSES = frozenset({"label", "index", "row", "frame"})


def scalars(output: Any) -> dict[str, float]:
    """Every scalar of an output: `loss`, the named terms and the objective's metrics.

    Args:
        output: ``engine.state.output``, decollated or not; scalars were copied to every item.

    Returns:
        name to number (or to a scalar tensor, on an accelerator).
    """
    item = output if isinstance(output, Mapping) else output[0]
    # MONAI's keys are an enumeration, which no checkpoint may hold.
    return {str(name): value for name, value in item.items() if name not in _NOT_LOSSES and _is_scalar(value)}


def _is_scalar(value: Any) -> bool:
    return (isinstance(value, (int, float)) and not isinstance(value, bool)) or (
        isinstance(value, Tensor) and value.ndim == 0
    )
