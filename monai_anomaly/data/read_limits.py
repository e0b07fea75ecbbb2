# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How large a file may be; all decoders check it before they inflate anything."""

from __future__ import annotations

from dataclasses import dataclass

from monai_anomaly.data.errors import ImageReadError

__all__ = ["ReadLimits", "check_budget"]


@dataclass(frozen=True)
class ReadLimits:
    """Largest file content that a decoder accepts.

    Args:
        max_pixels: pixels of one frame.
        max_frames: frames of one file.
        max_bytes: bytes of all frames of a file together, decoded.
    """

    max_pixels: int = 64 * 2**20
    max_frames: int = 2000
    max_bytes: int = 2 * 2**30

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_frames", "max_bytes"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive whole number, got {value!r}.")


def check_budget(limits: ReadLimits, *, rows: int, columns: int, frames: int = 1, bytes_per_pixel: int = 1) -> None:
    """Refuse sizes beyond the limits; called with header values, before pixels are read.

    Args:
        limits: the limits.
        rows: rows of a frame.
        columns: columns of a frame.
        frames: frames of the file.
        bytes_per_pixel: bytes of a decoded pixel, all channels.

    Raises:
        ImageReadError: ``budget``, or ``inconsistent`` for sizes below 1.
    """
    if rows < 1 or columns < 1:
        raise ImageReadError("inconsistent", f"the image is {rows} x {columns} pixels; it must be at least 1 x 1.")
    if rows * columns > limits.max_pixels:
        raise ImageReadError("budget", f"{rows} x {columns} pixels exceed max_pixels={limits.max_pixels}; raise it.")
    if frames > limits.max_frames:
        raise ImageReadError("budget", f"{frames} frames exceed max_frames={limits.max_frames}; raise it.")
    total = rows * columns * frames * bytes_per_pixel
    if total > limits.max_bytes:
        raise ImageReadError("budget", f"{total} decoded bytes exceed max_bytes={limits.max_bytes}; raise it.")
