# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Masks of lesions, by the rules of the picture that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.rasters.orientation import turn_upright

__all__ = ["MaskSource", "fit_mask", "read_mask"]

TAKEN_UPRIGHT = (
    "the image was turned upright as its Exif data say, and its mask would fit either way: one that says nothing "
    "itself was taken as drawn on the upright image"
)
TURNED = "the mask, which says nothing about it, was turned as its image is, which it fits as stored only"


class MaskSource(Protocol):
    """An open file whose pictures may be masks."""

    @property
    def frames(self) -> int:
        """Number of frames in the file."""

    def decode_mask(self, index: int) -> np.ndarray:
        """Return where a frame is not black: bool ``(H, W)``, upright by the file's own word.

        In lossy JPEG a pixel belongs to the mask from half of white on, in all others from the first value above
        black on, whatever its range is.

        Args:
            index: from 0, below ``frames``.

        Raises:
            ImageReadError: whatever is wrong with this frame.
        """


def read_mask(source: MaskSource, frame: int = 0, frames: int = 1) -> np.ndarray:
    """Return the mask of a frame.

    A mask of one picture is that of whatever frame it is given for; a mask of as many as the image has is one for each.

    Args:
        source: the open file.
        frame: index of the image's frame.
        frames: of how many.

    Returns:
        bool ``(H, W)``.

    Raises:
        ImageReadError: ``mask_shape`` for another number of frames, and whatever is wrong with the file.
    """
    if source.frames not in (1, frames):
        raise ImageReadError(
            "mask_shape",
            f"the mask has {source.frames} frames, its image {frames}; save one mask, or one for each frame.",
        )
    return source.decode_mask(frame if source.frames > 1 else 0)


def fit_mask(
    mask: np.ndarray, *, shape: Sequence[int], box: Sequence[int], orientation: int = 1
) -> tuple[np.ndarray, list[str]]:
    """Return the part of a mask that belongs to the picture that was cut out of its image, and warnings.

    A mask that was turned upright by its own word, or drawn on the upright image, fits as it is. One that fits the
    image as stored only is turned as the image was. One that would fit either way is taken as drawn on the upright
    image, which is what tools for drawing show; a warning says so.

    Args:
        mask: ``(H, W)``, of the upright image, of the image as stored, or of the part that was cut out.
        shape: rows and columns of the upright image.
        box: ``(x0, y0, x1, y1)``, half open: what was cut out of it.
        orientation: how the image was stored, 1 to 8.

    Raises:
        ImageReadError: ``mask_shape`` for a mask of another size.
    """
    x0, y0, x1, y1 = box
    rows, columns = shape
    notes: list[str] = []
    stored = (columns, rows) if orientation >= 5 else (rows, columns)
    if mask.shape == (rows, columns):
        if orientation != 1 and mask.shape == stored:
            notes.append(TAKEN_UPRIGHT)
        return mask[y0:y1, x0:x1], notes
    if mask.shape == (y1 - y0, x1 - x0):
        return mask, notes
    if mask.shape == stored:
        return turn_upright(mask, orientation)[y0:y1, x0:x1], [TURNED]
    raise ImageReadError(
        "mask_shape",
        f"the mask is {mask.shape[0]} x {mask.shape[1]} pixels, its image {rows} x {columns}; "
        "save the mask with the image's size.",
    )
