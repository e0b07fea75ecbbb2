# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Pictures to time the scoring with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import zoom
from tqdm import tqdm

from monai_anomaly.phantom.ultrasound.physics import speckle

__all__ = ["write_pictures"]

_PICTURE_SIZE = 256


def write_pictures(folder: Path, count: int, *, seed: int = 0) -> None:
    """Write gray 8-bit PNG of 256 x 256 pixels that look like ultrasound and compress a little worse (44 kB each).

    Args:
        folder: made; must not exist.
        count: number of pictures.
        seed: of the pictures.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in tqdm(range(count), desc="making pictures", unit="image", delay=2.0, leave=False):
        Image.fromarray(_picture(rng)).save(folder / f"{number:06d}.png")


def _picture(rng: np.random.Generator) -> np.ndarray:
    """One picture ``(256, 256)`` uint8: log-compressed speckle under a smooth tissue pattern, darker with depth."""
    size = _PICTURE_SIZE
    scatterers = rng.standard_normal((2, size, size), dtype=np.float32)
    echo = speckle(scatterers[0] + 1j * scatterers[1], axial=1.5, lateral=np.linspace(1.5, 4.0, size))
    tissue = zoom(rng.normal(scale=6.0, size=(8, 8)), size / 8, order=3)  # dB
    decibel = 20.0 * np.log10(np.abs(echo) + 1e-3) + tissue - np.linspace(0.0, 20.0, size)[:, None]
    return (np.clip(decibel / 60.0 + 0.6, 0.0, 1.0) * 255.0).astype(np.uint8)
