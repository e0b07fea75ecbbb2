# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How sharp a generated picture is, and the parts of it that a console strengthens or weakens to make it so."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

__all__ = ["coarsen", "sharpness", "split_bands"]

Array = NDArray[np.float32]


def sharpness(image: NDArray[np.floating], within: NDArray[np.bool_]) -> float:
    """Mean absolute difference of neighboring pixels of an image (rows, columns), where both lie `within`."""
    across = np.abs(np.diff(image, axis=1))[within[:, 1:] & within[:, :-1]].mean()
    down = np.abs(np.diff(image, axis=0))[within[1:] & within[:-1]].mean()
    return float((across + down) / 2)


def split_bands(picture: Array, structure: float) -> Array:
    """Split a picture into structure, texture and fine detail, (3, rows, columns), whose sum it is.

    Args:
        picture: (rows, columns).
        structure: what a Gaussian of this standard deviation in pixels leaves of the picture is structure.
    """
    smooth = gaussian_filter(picture, 1.0)
    coarsest = gaussian_filter(smooth, structure)
    return np.stack([coarsest, smooth - coarsest, picture - smooth])


def coarsen(image: Array) -> Array:
    """Return the image at 64 x 64 pixels."""
    return np.asarray(Image.fromarray(image).resize((64, 64), Image.Resampling.BILINEAR))
