# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""TIFF and BigTIFF, by the tags that say what their numbers mean."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from PIL import Image

from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.frame_source import DecodedImage
from monai_anomaly.data.pixel_values import check_finite, scale, small_range, unit_range
from monai_anomaly.data.rasters.orientation import turn_upright
from monai_anomaly.data.rasters.pillow_image import SPREAD
from monai_anomaly.data.rasters.tiff.directory import Directory, read_directories
from monai_anomaly.data.rasters.tiff.layout import JPEG, TiffLayout, check_layout
from monai_anomaly.data.rasters.tiff.pages import choose_frames
from monai_anomaly.data.rasters.tiff.pixels import read_pixels
from monai_anomaly.data.read_limits import ReadLimits

__all__ = ["TiffSource"]

UNKNOWN_CHANNEL = "the TIFF does not say what its fourth channel is; it was left out"
OVER_BLACK = "the image has transparent parts; they were laid over black"
BYTES_IN_PALETTE = "the palette of the TIFF has no value above 255; it was taken for one of 8 bits"


class TiffSource:
    """The frames of an open TIFF; thumbnails, pyramid levels, masks and labels are none.

    Numbers without sign scale by what their bits allow, real numbers lie from 0 to 1, white and black are where
    PhotometricInterpretation says. MinSampleValue and MaxSampleValue are statistics and not used.

    Args:
        stream: the open file, at its start; stays open as long as frames are decoded.
        limits: checked on the directories, before a pixel is read.

    Raises:
        ImageReadError: whatever is wrong with the directories.
    """

    def __init__(self, stream: BinaryIO, limits: ReadLimits) -> None:
        self._limits = limits
        with boundary("reading the TIFF's directories"):
            self._pages, self._notes = choose_frames(read_directories(stream, limits.max_frames))
            check_layout(self._pages[0], limits, len(self._pages))
        self.frames = len(self._pages)

    def decode(self, index: int) -> DecodedImage:
        """Decode one frame; see :class:`~monai_anomaly.data.frame_source.FrameSource`."""
        with boundary("decoding the TIFF"):
            directory = self._pages[index]
            layout, stored, notes = self._read(index)
            pixels, more = _to_unit(stored, directory, layout)
        return DecodedImage(
            values=np.ascontiguousarray(pixels.transpose(2, 0, 1)),
            kind="raster",
            file_format="TIFF",
            photometric=layout.colors,
            frames=self.frames,
            frame=index,
            orientation=layout.orientation,
            inverted=layout.colors == "WhiteIsZero",
            warnings=[*self._notes, *layout.warnings, *notes, *more],
        )

    def decode_mask(self, index: int) -> np.ndarray:
        """Return where a frame is not black; see :class:`~monai_anomaly.data.rasters.lesion_mask.MaskSource`."""
        with boundary("decoding the TIFF"):
            layout, values, _ = self._read(index)
            if layout.colors == "Palette":
                values = _look_up(values[..., 0], self._pages[index], layout)[0]
            if layout.colors == "WhiteIsZero":
                values = _invert(values, layout)
            if layout.colors == "CMYK":
                values = _from_cmyk(values)
            if layout.alpha:
                values = values[..., :-1]
            mask = values >= 128 if layout.compression == JPEG else values != 0
            return np.asarray(mask.any(axis=2))

    def _read(self, index: int) -> tuple[TiffLayout, np.ndarray, list[str]]:
        """Return layout and numbers of a frame, upright, ``(H, W, samples)``; and warnings."""
        directory = self._pages[index]
        layout = check_layout(directory, self._limits, self.frames)
        stored, notes = read_pixels(directory, layout)
        return layout, turn_upright(stored, layout.orientation), notes


def _to_unit(stored: np.ndarray, directory: Directory, layout: TiffLayout) -> tuple[np.ndarray, list[str]]:
    """Return what a viewer shows, float32 ``(H, W, C)`` in [0, 1], C 1 or 3; and warnings."""
    if layout.colors == "Palette":
        return _look_up(stored[..., 0], directory, layout)
    if layout.kind == "i" or (layout.kind == "u" and layout.bits > 16):
        sign = "with" if layout.kind == "i" else "without"
        raise ImageReadError(
            "unknown_range",
            f"the pixels are {layout.bits}-bit numbers {sign} sign, which says nothing about black and white; save the "
            "image with 8 or 16 bits without sign, or as real numbers from 0 to 1.",
        )
    if layout.kind == "f":
        check_finite(stored)
        pixels = unit_range(stored)
        return (np.float32(1) - pixels if layout.colors == "WhiteIsZero" else pixels), []
    white = 2**layout.bits - 1
    if layout.colors == "CMYK":
        return scale(_from_cmyk(stored), 0, 255), []
    colors = stored[..., :-1] if layout.alpha else stored
    pixels = scale(_invert(colors, layout) if layout.colors == "WhiteIsZero" else colors, 0, white)
    notes = small_range(pixels, layout.bits, SPREAD)
    if layout.alpha == "unknown":
        notes.append(UNKNOWN_CHANNEL)
    elif layout.alpha and stored[..., -1].min() < white:
        notes.append(OVER_BLACK)
        if layout.alpha == "unassociated":
            pixels *= scale(stored[..., -1:], 0, white)
    return pixels, notes


def _invert(values: np.ndarray, layout: TiffLayout) -> np.ndarray:
    """Return numbers of which 0 is white as ones of which it is black; those with a sign and labels as they are."""
    if layout.kind == "f":
        return np.subtract(1, values, dtype=values.dtype)
    return values if layout.kind == "i" or layout.bits > 16 else values.dtype.type(2**layout.bits - 1) - values


def _from_cmyk(stored: np.ndarray) -> np.ndarray:
    """Return RGB of inks of 8 bits, uint8 ``(H, W, 3)``, without a color profile."""
    return np.asarray(Image.fromarray(np.ascontiguousarray(stored), mode="CMYK").convert("RGB"))


def _look_up(indices: np.ndarray, directory: Directory, layout: TiffLayout) -> tuple[np.ndarray, list[str]]:
    """Return the colors of a palette, float32 ``(H, W, 3)`` in [0, 1]; and warnings."""
    size = 2**layout.bits
    palette = np.array(directory.numbers(320, 3 * size), np.uint16)
    if len(palette) != 3 * size:
        raise ImageReadError("inconsistent", "ColorMap (320) of the TIFF has another size than its bits ask for.")
    small = 0 < palette.max() < 256
    if not small and not (palette & 255).any():  # 8 bits that were only moved up, where 255 is white, too
        palette >>= 8
    colors = scale(palette.reshape(3, size).T, 0, 255 if palette.max() < 256 else 65535)
    return colors[indices], [BYTES_IN_PALETTE] if small else []
