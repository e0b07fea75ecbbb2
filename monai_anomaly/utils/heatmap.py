# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""Anomaly maps as pictures, every image on the same scale."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

__all__ = ["PALETTE", "encode_heatmap", "encode_image", "encode_levels", "map_to_levels", "row_blocks"]

# Every 16th color of matplotlib's "magma" (CC0), which grows evenly in lightness and so reads without color vision.
# Written out because matplotlib is no dependency of ours.
_ANCHORS = "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 d0416f e75263 f56b5c fc8961 fea772 fec488 fde2a3 fcfdbf"  # noqa: E501


def _palette() -> npt.NDArray[np.uint8]:
    anchors = np.array([list(bytes.fromhex(color)) for color in _ANCHORS.split()], dtype=np.float64)  # (17, 3)
    position = np.linspace(0, len(anchors) - 1, 256)
    channels = [np.interp(position, np.arange(len(anchors)), anchors[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


PALETTE = _palette()
"""RGB color of each level, shape ``(256, 3)``."""


def map_to_levels(anomaly_map: npt.NDArray[np.float32], map_range: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """``round(255 * (value - low) / (high - low))``, clipped to 0..255; the map must be finite."""
    low, high = map_range
    return np.clip((anomaly_map - low) * (255.0 / (high - low)) + 0.5, 0, 255).astype(np.uint8)


def row_blocks(shape: tuple[int, ...], pixels: int = 2**20) -> Iterator[slice]:
    """Yield slices of rows, one after the other, so that a picture of many megapixels is worked on in little memory.

    Args:
        shape: begins with rows and columns.
        pixels: most pixels of a block, if a row has no more.
    """
    rows, columns = shape[:2]
    step = max(1, pixels // columns)
    for start in range(0, rows, step):
        yield slice(start, start + step)


def encode_heatmap(anomaly_map: npt.NDArray[np.float32], map_range: tuple[float, float]) -> bytes:
    """Return a PNG whose palette indices are the levels of :func:`map_to_levels` and whose palette colors them.

    Any viewer shows a colored heat map, and a program gets 8-bit values back from the indices
    (``numpy.asarray(PIL.Image.open(path))``). The scale stands in the file, as the text chunk ``map_range``.

    Args:
        anomaly_map: finite values, shape ``(H, W)``.
        map_range: the values of level 0 and level 255, the same for all images.
    """
    picture = Image.fromarray(map_to_levels(anomaly_map, map_range))
    picture.putpalette(PALETTE.tobytes())
    text = PngInfo()
    text.add_text("map_range", f"{map_range[0]:g} {map_range[1]:g}")
    return _png(picture, text)


def encode_image(image: npt.NDArray[np.float32]) -> bytes:
    """Return a gray or RGB PNG of an image with values in [0, 1] (clipped), shape ``(1, H, W)`` or ``(3, H, W)``."""
    levels = np.clip(image * 255.0 + 0.5, 0, 255).astype(np.uint8)
    return encode_levels(levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1))


def encode_levels(levels: npt.NDArray[np.uint8]) -> bytes:
    """Return a gray or RGB PNG of an array as it is shown, shape ``(H, W)`` or ``(H, W, 3)``."""
    return _png(Image.fromarray(levels))


def _png(picture: Image.Image, text: PngInfo | None = None) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format="PNG", compress_level=1, pnginfo=text)  # level 1: a third larger, four times faster
    return stream.getvalue()
