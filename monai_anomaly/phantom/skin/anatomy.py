# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The generated skin without a lesion, and the noise that it is made of.

Colors are densities: the negative natural logarithm of the gray level in red, green and blue, so that what one looks
through adds up as it does in the skin (Lambert and Beer). Lengths are in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

__all__ = ["BLOOD", "MELANIN", "SIDE", "Array", "Skin", "cloud", "grain", "grid", "skin_density"]

Array = NDArray[np.float32]

SIDE = 128
"""Rows and columns of a picture."""

MELANIN = np.array([0.65, 1.0, 1.25], np.float32)
"""Density of melanin near the surface, in red, green and blue: brown."""
BLOOD = np.array([0.2, 1.0, 0.9], np.float32)

_CLEAR = np.array([0.08, 0.2, 0.26], np.float32)


@dataclass(frozen=True)
class Skin:
    """The skin of a person. How much melanin and blood it holds, how uneven it is, how deep its furrows are."""

    melanin: float
    blood: float
    mottle: float
    furrows: float


def grid() -> tuple[Array, Array]:
    """x to the right and y downward of the centers of the pixels from the middle, each (SIDE, SIDE)."""
    steps = (np.arange(SIDE) - (SIDE - 1) / 2).astype(np.float32)
    x, y = np.meshgrid(steps, steps)
    return x, y


def cloud(rng: np.random.Generator, cells: int) -> Array:
    """Smooth noise (SIDE, SIDE) of unit variance at its `cells` x `cells` nodes."""
    nodes = Image.fromarray(rng.standard_normal((cells, cells), dtype=np.float32))
    return np.asarray(nodes.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def grain(rng: np.random.Generator, size: float) -> Array:
    """Noise (SIDE, SIDE) of zero mean and unit variance whose spots are about `size` pixels in radius."""
    noise = rng.standard_normal((SIDE, SIDE), dtype=np.float32)
    band = gaussian_filter(noise, size, mode="wrap") - gaussian_filter(noise, 2 * size, mode="wrap")
    return (band - band.mean()) / band.std()


def skin_density(rng: np.random.Generator, skin: Skin) -> Array:
    """Density of normal skin, (3, SIDE, SIDE)."""
    furrows = -np.abs(grain(rng, 1.6)) + 0.5 * grain(rng, 0.8)
    melanin = np.float32(skin.melanin) * (1 + np.float32(skin.mottle) * cloud(rng, 7))
    melanin += np.float32(skin.furrows) * (furrows - furrows.mean())
    even = _CLEAR + np.float32(skin.blood) * BLOOD
    return even[:, None, None] + MELANIN[:, None, None] * melanin
