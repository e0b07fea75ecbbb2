# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""All images of a data set as one sequence, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["Intensity", "KeptImages", "NoIntensity", "Pictures"]


class Pictures(Protocol):
    """Pictures before their intensity was normalized."""

    shape: tuple[int, int, int]
    """``(C, H, W)`` of each."""

    def __len__(self) -> int:
        """Return the number of pictures."""

    def read_into(self, row: int, out: npt.NDArray[np.float32]) -> None:
        """Write the picture of a row into float32 ``(C, H, W)``."""


class Intensity(Protocol):
    """Normalizes an image by two numbers; see :class:`monai_anomaly.transforms.intensity.NormalizeImage`."""

    def limits(self, image: Tensor) -> tuple[float, float]:
        """Return the two numbers of an image."""

    def apply(self, image: Tensor, low: float, extent: float) -> Tensor:
        """Return the normalized image."""


class NoIntensity:
    """Leaves an image as it is."""

    def limits(self, image: Tensor) -> tuple[float, float]:
        """Return two numbers that say nothing."""
        return 0.0, 1.0

    def apply(self, image: Tensor, low: float, extent: float) -> Tensor:
        """Return the image."""
        return image


class KeptImages:
    """What a float32 tensor ``(N, C, H, W)`` is to those who read it, with the pictures in fewer bytes or on a disk.

    It is no tensor: only what :class:`~monai_anomaly.utils.image_sequence.ImageSequence` names can be done with it.
    Each answer is a new tensor, bit for bit what the preprocessing gave.

    Args:
        pictures: before the normalization of their intensity.
        limits: of each picture what :meth:`Intensity.limits` gave, ``(N, 2)``; kept, because they are sums over whole
            pictures.
        intensity: normalizes them.
        rows: of the pictures that are taken; None for all.
    """

    dtype = torch.float32

    def __init__(
        self,
        pictures: Pictures,
        limits: npt.NDArray[np.float64],
        intensity: Intensity,
        rows: Sequence[int] | None = None,
    ) -> None:
        self._pictures = pictures
        self._limits = limits
        self._intensity = intensity
        self._rows = np.arange(len(pictures)) if rows is None else np.array(rows, np.int64)

    @property
    def shape(self) -> torch.Size:
        """``(N, C, H, W)``."""
        return torch.Size((len(self), *self._pictures.shape))

    @property
    def ndim(self) -> int:
        """4."""
        return len(self.shape)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any, /) -> Tensor:
        """Return one image for a number, else those of a slice or of a sequence of rows, together."""
        rows = self._rows[index.numpy() if isinstance(index, Tensor) else index]
        if rows.ndim == 0:
            return self._gather([int(rows)])[0]
        return self._gather(rows.tolist())

    def __iter__(self) -> Iterator[Tensor]:
        return (self[row] for row in range(len(self)))

    def subset(self, rows: Sequence[int]) -> KeptImages:
        """Return the images of some rows as a sequence of the same kind."""
        return KeptImages(self._pictures, self._limits, self._intensity, self._rows[list(rows)].tolist())

    def split(self, split_size: int, /) -> _Parts:
        """Return the images in parts of so many, each made when it is its turn."""
        return _Parts(self, split_size)

    def _gather(self, rows: Sequence[int]) -> Tensor:
        images = torch.empty(len(rows), *self._pictures.shape)
        arrays = images.numpy()
        for place, row in enumerate(rows):
            self._pictures.read_into(row, arrays[place])
            normalized = self._intensity.apply(images[place], *self._limits[row])
            if normalized.data_ptr() != images[place].data_ptr():
                images[place] = normalized
        return images


class _Parts:
    def __init__(self, images: KeptImages, size: int) -> None:
        self.images = images
        self.starts = range(0, len(images), size)

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[Tensor]:
        return (self.images[start : start + self.starts.step] for start in self.starts)
