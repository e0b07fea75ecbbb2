# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which images are the same picture, whatever their files are called.

A copy in training and test makes a test result better than it is. Copies under another name, in another format or with
other header values are found; a picture that was resized, cropped or compressed again is another picture here.
"""

from __future__ import annotations

import hashlib
import logging
import struct
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["find_duplicates", "fingerprint", "pixel_hash", "warn_of_shared_images"]

logger = logging.getLogger(__name__)


class _HashedImages(Protocol):
    """Images of a data set; :class:`monai_anomaly.data.sets.cached.CachedDataset` has them."""

    @property
    def pixel_hashes(self) -> Sequence[str]: ...

    def __len__(self) -> int: ...


def pixel_hash(pixels: npt.ArrayLike) -> str:
    """Return 32 hexadecimal digits that two images share if, and for all practical purposes only if, they are equal.

    The hash is BLAKE2b over the shape and the float32 values, both written little-endian, so that it is the same on
    every machine that decodes the same values: lossless formats anywhere, lossy ones with the same decoder version. It
    has no key, because it must be comparable between sites; who has the picture can compute it, nobody gets a pixel
    from it.

    Args:
        pixels: any array or CPU tensor of numbers that float32 can hold, e.g. ``(C, H, W)`` in [0, 1]. -0.0 counts
            as 0.0.
    """
    values = np.asarray(pixels, dtype="<f4") + np.float32(0)  # also turns -0.0, which has other bytes, into 0.0
    shape = struct.pack(f"<{values.ndim + 1}q", values.ndim, *values.shape)
    digest = hashlib.blake2b(shape, digest_size=16)
    digest.update(np.ascontiguousarray(values, dtype="<f4").data)
    return digest.hexdigest()


def fingerprint(pixel_hash: str) -> int:
    """Return the first 8 bytes of a :func:`pixel_hash` as a signed number, which an int64 tensor of many can hold."""
    return int.from_bytes(bytes.fromhex(pixel_hash[:16]), "big", signed=True)


def find_duplicates(hashes: Sequence[str]) -> list[list[int]]:
    """Return the groups of two or more equal entries as rising indices, in the order of their first entries.

    Args:
        hashes: of :func:`pixel_hash`, one for each image; an empty text is an image without a hash and equals none.

    Example:
        >>> find_duplicates(["a", "b", "a", "", "b", ""])
        [[0, 2], [1, 4]]
    """
    places: dict[str, list[int]] = {}
    for index, value in enumerate(hashes):
        if value:
            places.setdefault(value, []).append(index)
    return [group for group in places.values() if len(group) > 1]


def warn_of_shared_images(training: _HashedImages, validation: _HashedImages) -> list[int]:
    """Warn of images that two data sets share, as the network gets them.

    Args:
        training: the one data set.
        validation: the other one.

    Returns:
        Positions in ``validation`` of the images that are in ``training`` too.
    """
    known = set(training.pixel_hashes)
    shared = [index for index, value in enumerate(validation.pixel_hashes) if value in known]
    if shared:
        logger.warning(
            "%d of %d validation images are in the training data too; validation looks better than it is.",
            len(shared),
            len(validation),
        )
    return shared
