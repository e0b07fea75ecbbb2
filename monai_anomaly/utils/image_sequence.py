# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""All images of a data set, as what goes through them sees them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ImageSequence"]


class ImageSequence(Protocol):
    """What a tensor ``(N, C, H, W)`` and images that are made when they are asked for have in common.

    A data set may be larger than the memory, so what fits statistics to one uses nothing else of it.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """``(N, C, H, W)``."""

    def __len__(self) -> int:
        """Return N."""

    def __getitem__(self, index: Any, /) -> Tensor:
        """Return the image ``(C, H, W)`` of a row, or those of a slice or of several rows, ``(M, C, H, W)``."""

    def split(self, split_size: int, /) -> Iterable[Tensor]:
        """Return parts ``(M, C, H, W)`` of so many images, which may be gone through several times."""
