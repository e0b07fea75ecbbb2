# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Masks of lesions: pictures of any kind that Pillow reads, and others by what their decoder gives."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.frame_source import FrameSource
from monai_anomaly.data.rasters.pillow_image import load_page, open_picture
from monai_anomaly.data.rasters.whole import check_whole
from monai_anomaly.data.read_limits import ReadLimits

__all__ = ["mask_of", "read_mask"]


def read_mask(stream: BinaryIO, limits: ReadLimits) -> np.ndarray:
    """Read a lesion mask: every pixel that is not 0 belongs to it; in a JPEG, every pixel of half the range or more.

    Args:
        stream: the open file, at its start.
        limits: checked on the header.

    Returns:
        bool ``(H, W)``.

    Raises:
        ImageReadError: whatever is wrong with the file.
    """
    image, frames = open_picture(stream, limits)
    check_whole(stream)
    image = load_page(image, 0, frames, limits)
    with boundary("decoding the mask"):
        lossy = image.format == "JPEG"
        if image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
            image = image.convert("RGB")
        values = np.asarray(image.convert("RGB") if image.mode in ("P", "CMYK", "YCbCr") else image)
    mask = np.asarray(values >= 128 if lossy else values != 0)
    return mask if mask.ndim == 2 else np.asarray(mask.any(axis=2))


def mask_of(source: FrameSource) -> np.ndarray:
    """Return the mask in a file that is no picture file: every pixel above 0 belongs to it.

    Args:
        source: the file's decoder, which gives stored values.

    Returns:
        bool ``(H, W)``.

    Raises:
        ImageReadError: for more than one frame, or whatever is wrong with the file.
    """
    if source.frames != 1:
        raise ImageReadError("unsupported", "a mask must be one picture, without frames; save it as one.")
    return np.asarray((source.decode(0).pixels > 0).any(axis=0))
