# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Numbers for the images of a batch, one for each; random ones are drawn on the CPU.

So a seed means the same on every device.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["between", "column", "integers", "signs"]


def between(low: float, high: float, size: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
    """Draw uniform numbers in [low, high)."""
    return low + (high - low) * torch.rand(tuple(size), generator=generator)


def signs(count: int, negative_probability: float, generator: torch.Generator | None = None) -> Tensor:
    """Draw numbers ``(count,)``, -1 with the given probability, else 1."""
    return torch.where(torch.rand(count, generator=generator) < negative_probability, -1.0, 1.0)


def integers(low: Tensor | int, high: Tensor | int, size: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw whole numbers ``(B,)`` in [low, high), a range for each image, which :func:`torch.randint` cannot do."""
    unit = torch.rand(size, dtype=torch.float64, generator=generator)  # float64: no rounding up to the end of the range
    return low + (unit * (high - low)).long()


def column(value: Tensor) -> Tensor:
    """Return ``(B,)`` as ``(B, 1, 1, 1)``."""
    return value[:, None, None, None]
