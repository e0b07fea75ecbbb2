# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A decoded picture as the array and the plain values that an ``Image`` of MONAI Deploy carries between operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from monai_anomaly.data.frame_source import DecodedImage

__all__ = ["PICTURE", "CarriedPicture", "picture_meta"]

PICTURE = "monai_anomaly_picture"
"""Key of an ``Image``'s metadata under which all is that :class:`.DecodedImage` says beside its pixels."""


def picture_meta(picture: DecodedImage) -> dict[str, Any]:
    """Return the metadata of an ``Image`` whose array is the picture's pixels ``(C, rows, columns)``."""
    return {PICTURE: {key: value for key, value in vars(picture).items() if key != "values"}}


class CarriedPicture:
    """The one frame that an ``Image`` carries.

    Args:
        pixels: float32 ``(C, rows, columns)`` in [0, 1].
        meta: what :func:`picture_meta` put under :data:`PICTURE`.
    """

    frames = 1

    def __init__(self, pixels: np.ndarray, meta: Mapping[str, Any]) -> None:
        self._picture = DecodedImage(values=pixels, **meta)

    def decode(self, index: int) -> DecodedImage:
        """Return the picture; see :class:`~monai_anomaly.data.frame_source.FrameSource`."""
        return self._picture
