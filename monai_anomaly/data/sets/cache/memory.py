# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Pictures in memory, and pictures that are not kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.sets.cache.contents import Contents
from monai_anomaly.data.sets.cache.decoding import Transform, intensity_of, picture_of
from monai_anomaly.data.sets.cache.levels import Record, decode, encode
from monai_anomaly.data.sets.duplicates import pixel_hash

__all__ = ["DecodedPictures", "MemoryPictures"]


class MemoryPictures:
    """Pictures in as few bytes of memory as give them back bit for bit.

    Args:
        check: is given the bytes of each, and of those before it, and may refuse.
    """

    def __init__(self, check: Callable[[int, int], None]) -> None:
        self.shape = (0, 0, 0)
        self._bytes = 0
        self._check = check
        self._records: list[tuple[Record, int]] = []

    def __len__(self) -> int:
        return len(self._records)

    def add(self, picture: npt.NDArray[np.float32]) -> None:
        """Keep a picture ``(C, H, W)``; all have one shape."""
        record, levels = encode(picture)
        self._check(record.nbytes, self._bytes)
        self._bytes += record.nbytes
        self.shape = picture.shape[0], picture.shape[1], picture.shape[2]
        # a real one may still be the transform's own array, or a part of a larger one
        self._records.append((record if record.dtype.kind == "u" else record.copy(), levels))

    def read_into(self, row: int, out: npt.NDArray[np.float32]) -> None:
        """Write a picture into float32 ``(C, H, W)``."""
        decode(*self._records[row], out)


class DecodedPictures:
    """Pictures that are decoded anew each time, and must be what they were.

    Args:
        data: items of a data list.
        transform: makes their images.
        contents: what the first decoding said of them.
    """

    def __init__(self, data: Sequence[Mapping[str, Any]], transform: Transform, contents: Contents) -> None:
        self.shape = contents.shape
        self._data = data
        self._transform = transform
        self._contents = contents

    def __len__(self) -> int:
        return len(self._contents)

    def read_into(self, row: int, out: npt.NDArray[np.float32]) -> None:
        """Write a picture into float32 ``(C, H, W)``.

        Raises:
            ImageReadError: when the file cannot be read any more, or has another picture.
        """
        image = picture_of(self._transform, self._data[self._contents.positions[row]])["image"]
        normalized = intensity_of(self._transform).apply(image, *self._contents.limits[row])
        if tuple(image.shape) != self.shape or pixel_hash(normalized.numpy()) != self._contents.hashes[row]:
            raise ImageReadError("inconsistent", "a file was changed during the training; begin it anew.")
        out[...] = image.numpy()
