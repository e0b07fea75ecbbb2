# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Fewer images of a data set, as many as are enough for what is fitted to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["evenly_spaced"]


def evenly_spaced(images: ImageSequence, most: int) -> ImageSequence:
    """Return the images ``(N, C, H, W)``, or of more than ``most`` as many, evenly spaced, each read when asked for.

    Raises:
        ValueError: for fewer than 1.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}.")
    return images if len(images) <= most else _Some(images, most)


class _Some:
    """Some images of a sequence."""

    def __init__(self, images: ImageSequence, count: int) -> None:
        self.images = images
        self.rows = torch.linspace(0, len(images) - 1, count).round().long()

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.images.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any, /) -> Tensor:
        return self.images[self.rows[index]]

    def split(self, split_size: int, /) -> _Parts:
        return _Parts(self, split_size)


class _Parts:
    """Parts of so many images, each made when it is its turn."""

    def __init__(self, images: _Some, size: int) -> None:
        self.images = images
        self.size = size

    def __iter__(self) -> Iterator[Tensor]:
        return (self.images.images[rows] for rows in self.images.rows.split(self.size))
