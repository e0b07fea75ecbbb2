# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What every decoder returns, and the limits that all of them check before they inflate anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from monai_anomaly.data.errors import ImageReadError

__all__ = ["DecodedImage", "FrameSource", "ReadLimits", "boundary", "check_budget", "check_finite", "scale"]


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


@dataclass
class DecodedImage:
    """One frame as a viewer shows it, before the crop and the choice of channels.

    Args:
        pixels: float32 ``(C, H, W)`` in [0, 1], C 1 or 3, rows = H, columns = W.
        kind: ``"dicom"``, ``"raster"``, ``"nifti"``, ``"nrrd"`` or ``"metaimage"``.
        modality: DICOM modality, ``"other"`` for one not in the standard's list, empty for files without one.
        photometric: photometric interpretation (DICOM) or pixel mode (raster) as stored.
        frames: number of frames in the file.
        frame: the frame that was read, from 0.
        box: ``(x0, y0, x1, y1)``, half open: the ultrasound region when it is trusted, else None.
        region: ``"none"``, ``"trusted"`` or ``"untrusted"``.
        spacing: ``(row, column)`` in mm per pixel, or None where the file gives none that can be trusted.
        spacing_origin: where ``spacing`` comes from.
        voi: whether the file's own window or VOI LUT was applied.
        inverted: whether the stored values were inverted for display.
        masked: share of the pixels that are no picture (padding, shutter, collimator) and were set to 0.
        identifiers: names and keyed hashes of the header's identifiers; see :mod:`monai_anomaly.utils.identity`.
        warnings: every fallback taken, one sentence each, free of header values.
    """

    pixels: np.ndarray
    kind: str
    modality: str = ""
    photometric: str = ""
    frames: int = 1
    frame: int = 0
    box: tuple[int, int, int, int] | None = None
    region: str = "none"
    spacing: tuple[float, float] | None = None
    spacing_origin: str = ""
    voi: bool = False
    inverted: bool = False
    masked: float = 0.0
    identifiers: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class FrameSource(Protocol):
    """An open file whose header passed every check; frames are decoded singly, in any order."""

    @property
    def frames(self) -> int:
        """Number of frames in the file."""

    def decode(self, index: int) -> DecodedImage:
        """Decode one frame.

        Args:
            index: from 0, below ``frames``.

        Raises:
            ImageReadError: whatever is wrong with this frame.
        """


@contextmanager
def boundary(what: str) -> Iterator[None]:
    """Turn whatever a decoding library raises into one :class:`ImageReadError`.

    ``StopIteration`` would end a DataLoader silently, ``MemoryError`` and ``RecursionError`` kill it; the text of the
    original is dropped, because libraries quote header values and paths in it.

    Args:
        what: the step, for the message, e.g. ``"decoding the PNG"``.

    Raises:
        ImageReadError: for every exception but ``KeyboardInterrupt``, ``SystemExit`` and ``GeneratorExit``.
    """
    try:
        yield
    except (ImageReadError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except FileNotFoundError:
        raise ImageReadError("not_found", "the file does not exist; correct the path or remove the entry.") from None
    except PermissionError:
        raise ImageReadError("unreadable", "the file may not be read; grant permission to read it.") from None
    except IsADirectoryError:
        raise ImageReadError("unreadable", "this is a folder, not a file; list the files in it.") from None
    except MemoryError:
        raise ImageReadError("budget", f"{what} ran out of memory; export a smaller file.") from None
    except EOFError:
        raise ImageReadError("truncated", f"the file ended while {what}; copy or export it again.") from None
    except BaseException as error:  # decoders raise almost anything, StopIteration and RecursionError included
        reason = type(error).__name__
        raise ImageReadError("decode_failed", f"{what} failed ({reason}); export the file again.") from None


def check_budget(limits: ReadLimits, *, rows: int, columns: int, frames: int = 1, bytes_per_pixel: int = 1) -> None:
    """Refuses sizes beyond the limits; called with header values, before pixels are read.

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
    """Refuses NaN and infinite pixels.

    Args:
        pixels: any float array.

    Raises:
        ImageReadError: ``non_finite``.
    """
    if not np.isfinite(pixels).all():
        raise ImageReadError("non_finite", "the image holds NaN or infinite values; correct the export.")
