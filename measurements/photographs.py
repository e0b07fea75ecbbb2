# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Large photographs, as cameras write them, to time and compare their reading with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["enlarge", "write_photograph"]

NOISE = 3.0
"""Standard deviation of a sensor's noise in gray levels; with it 3000 x 2000 pixels take 1.6 MB at quality 85."""


def write_photograph(
    path: Path, *, columns: int = 3000, rows: int = 2000, seed: int = 0, quality: int = 85, slope: float = 1.3
) -> None:
    """Write a JPEG in color whose spectrum falls as that of natural pictures, with a sensor's noise.

    Args:
        path: of the file.
        columns: of the picture.
        rows: of the picture.
        seed: of the picture.
        quality: of Pillow's JPEG.
        slope: the amplitude falls with this power of the frequency; 0 is white noise, natural pictures have about 1.
    """
    random = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)) + 1 / max(rows, columns)
    spectrum = np.fft.rfft2(random.standard_normal((rows, columns))) * frequency**-slope
    texture = np.fft.irfft2(spectrum, (rows, columns))
    gray = 128 + 40 * (texture - texture.mean()) / texture.std()
    colors = np.stack([gray * 1.1, gray * 0.9, gray * 0.8 + 10], -1) + random.normal(0, NOISE, (rows, columns, 1))
    Image.fromarray(colors.clip(0, 255).astype(np.uint8)).save(path, quality=quality)


def enlarge(source: Path, path: Path, *, columns: int = 3000, rows: int = 2000, seed: int = 0) -> None:
    """Write a picture as a photograph of that size, with a sensor's noise; what it shows stays what it was.

    Args:
        source: any picture that Pillow reads.
        path: of the JPEG.
        columns: of the JPEG.
        rows: of the JPEG.
        seed: of the noise.
    """
    with Image.open(source) as picture:
        large = np.asarray(picture.convert("RGB").resize((columns, rows), Image.Resampling.BICUBIC), np.float32)
    noise = np.random.default_rng(seed).normal(0, NOISE, (rows, columns, 1))
    Image.fromarray((large + noise).clip(0, 255).astype(np.uint8)).save(path, quality=85)
