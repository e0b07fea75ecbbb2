# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Masks of lesions, as pictures of any kind that Pillow reads."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from monai_anomaly.data.errors import boundary
from monai_anomaly.data.rasters.pillow_image import load_page, open_picture
from monai_anomaly.data.rasters.whole import check_whole
from monai_anomaly.data.read_limits import ReadLimits

__all__ = ["read_mask"]


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
