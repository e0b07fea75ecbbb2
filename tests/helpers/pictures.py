# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Small pictures for tests, as bytes of a format."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

__all__ = ["encode", "make_gray"]


def make_gray(rows: int = 64, columns: int = 80, *, seed: int = 0) -> np.ndarray:
    """Return waves and noise, uint8 ``(rows, columns)``: no block of it is flat."""
    y, x = np.mgrid[:rows, :columns]
    noise = np.random.default_rng(seed).standard_normal((rows, columns))
    return np.clip(120 + 60 * np.sin(x / 9) * np.cos(y / 11) + 12 * noise, 1, 254).astype(np.uint8)


def encode(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    """Return the bytes of a picture file."""
    stream = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(stream, kind, **options)
    return stream.getvalue()
