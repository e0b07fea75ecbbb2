# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Pixel values: from those of a file to [0, 1], and what no pixel may be."""

from __future__ import annotations

import numpy as np

from monai_anomaly.data.errors import ImageReadError

__all__ = ["ROUNDING", "check_finite", "scale", "small_range", "unit", "unit_range", "whole_numbers"]

ROUNDING = 1e-6
"""How far beyond 0 and 1 real numbers may lie and still be taken for 0 to 1, e.g. 255 times a 32-bit 1/255."""

SMALL = 8
"""A picture of more than 8 bits whose values take up less than this fraction (1/8) of their range gets a warning."""


def scale(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map ``low..high`` to 0..1 as float32, clipped.

    Args:
        values: any numeric array.
        low: value that becomes 0.
        high: value that becomes 1; below ``low`` the scale is reversed.
    """
    out = values.astype(np.float32)
    if low:
        out -= np.float32(low)
    out /= np.float32(high - low)
    if values.dtype != np.uint8 or low != 0 or high != 255:  # eight full bits cannot leave the range
        np.clip(out, 0.0, 1.0, out=out)
    return out


def check_finite(pixels: np.ndarray) -> None:
    """Refuse NaN and infinite pixels.

    Args:
        pixels: any float array.

    Raises:
        ImageReadError: ``non_finite``.
    """
    if not np.isfinite(pixels).all():
        raise ImageReadError("non_finite", "the image holds NaN or infinite values; correct the export.")


def small_range(pixels: np.ndarray, bits: int, cure: str, visible: np.ndarray | None = None) -> list[str]:
    """Return a warning where a picture of more than 8 bits uses a small part of its range, as fewer bits in more do.

    It is asked wherever a file's bits alone said what black and white are, in every format. Pictures of 8 bits and
    fewer may be dark; one of a single value has a warning of its own.

    Args:
        pixels: in [0, 1], the range of the bits; others of 8 bits and fewer are not looked at.
        bits: bits of a number.
        cure: what to do, for the message.
        visible: the pixels that are looked at, of the shape of ``pixels``; None for all.
    """
    if bits <= 8:
        return []
    if visible is not None:
        pixels = pixels[visible]
    low, high = (float(pixels.min()), float(pixels.max())) if pixels.size else (0.0, 0.0)
    if low == high or (high - low) * SMALL >= 1:
        return []
    return [f"the picture uses a small part of its range, less than an eighth of {bits} bits; {cure}"]


def unit(values: np.ndarray) -> np.ndarray:
    """Return values that are float32 in [0, 1] as they are, and whole ones from 0 to 255 as such.

    Args:
        values: float32 or uint8.
    """
    return scale(values, 0, 255) if values.dtype == np.uint8 else values


def whole_numbers(values: np.ndarray) -> np.ndarray:
    """Return as uint8 what :func:`unit` makes the values from; the values themselves where that is not possible.

    Args:
        values: ``(C, H, W)``, float32 in [0, 1], or uint8.
    """
    if values.dtype == np.uint8:
        return values
    for part in (values[:, ::16, ::16], values):  # a few of them answer it for nearly every picture of more bits
        numbers = np.rint(part * np.float32(255)).astype(np.uint8)
        if not np.array_equal(unit(numbers), part):
            return values
    return numbers


def unit_range(values: np.ndarray) -> np.ndarray:
    """Return real numbers that lie from 0 to 1, as float32.

    Args:
        values: any float array, all finite.

    Raises:
        ImageReadError: ``unknown_range`` for numbers beyond.
    """
    low, high = float(values.min()), float(values.max())
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise ImageReadError(
            "unknown_range",
            f"the pixels are {values.dtype} from {low:g} to {high:g}, which says nothing about black and white; save "
            "the image with 8 or 16 bits unsigned, or as float from 0 to 1.",
        )
    return np.clip(values, 0.0, 1.0).astype(np.float32)
