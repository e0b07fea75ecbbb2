# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""PNG, JPEG, BMP and TIFF, through Pillow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.frame_source import DecodedImage
from monai_anomaly.data.pixel_values import check_finite, scale
from monai_anomaly.data.rasters.whole import check_whole
from monai_anomaly.data.read_limits import ReadLimits, check_budget

__all__ = ["RasterSource", "decode_picture", "load_page", "open_picture"]

FORMATS = ("PNG", "JPEG", "BMP", "TIFF")
"""The only Pillow plug-ins that are let near a file."""


class RasterSource:
    """The pages of an open picture file; 8 bits scale by 255, 16 bits by 65535.

    Args:
        stream: the open file, at its start; stays open as long as pages are decoded.
        limits: checked on the header.

    Raises:
        ImageReadError: whatever is wrong with the header.
    """

    def __init__(self, stream: BinaryIO, limits: ReadLimits) -> None:
        self._stream = stream
        self._limits = limits
        self._image, self.frames = open_picture(stream, limits)

    def decode(self, index: int) -> DecodedImage:
        """Decode one page; see :class:`~monai_anomaly.data.frame_source.FrameSource`."""
        notes = check_whole(self._stream)
        page = load_page(self._image, index, self.frames, self._limits)
        return decode_picture(page, frames=self.frames, frame=index, notes=notes)


def decode_picture(image: Image.Image, *, frames: int, frame: int, notes: Iterable[str] = ()) -> DecodedImage:
    """Turn a loaded page into pixels.

    Args:
        image: the page, which stays as it is.
        frames: number of pages of the file.
        frame: the page's index.
        notes: what was tolerated in the file.

    Raises:
        ImageReadError: whatever is wrong with its pixels.
    """
    mode = image.mode
    warnings = list(notes)
    if "exif" in image.info:
        with boundary("turning the image upright"):
            image = ImageOps.exif_transpose(image)
    if mode in ("1", "LA", "La", "PA", "P", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"):
        with boundary("converting the colors"):
            image, more = _convert(image)
        warnings += more
    with boundary("decoding the image"):
        values = np.asarray(image)
    return DecodedImage(
        pixels=_to_unit(values), kind="raster", photometric=mode, frames=frames, frame=frame, warnings=warnings
    )


def open_picture(stream: BinaryIO, limits: ReadLimits) -> tuple[Image.Image, int]:
    """Open a file without decoding; returns it with the number of pages, after a look at the size of the first."""
    with boundary("reading the image's header"):
        try:
            image = Image.open(stream, formats=FORMATS)
        except Image.DecompressionBombError:
            raise ImageReadError("budget", "the image is beyond Pillow's own limit; export a smaller one.") from None
        except UnidentifiedImageError:
            raise ImageReadError("decode_failed", "the header of the image is damaged; copy the file again.") from None
        frames = int(getattr(image, "n_frames", 1)) if image.format == "TIFF" else 1
        check_budget(limits, rows=image.height, columns=image.width, frames=frames, bytes_per_pixel=4)
        return image, frames


def load_page(image: Image.Image, index: int, frames: int, limits: ReadLimits) -> Image.Image:
    """Decode one page."""
    with boundary("decoding the image"):
        if frames > 1:
            image.seek(index)
        check_budget(limits, rows=image.height, columns=image.width, frames=frames, bytes_per_pixel=4)
        try:
            image.load()
        except OSError as error:  # Pillow has no class of its own for a file that ends early
            if isinstance(error, FileNotFoundError) or "truncated" not in str(error):
                raise
            raise ImageReadError("truncated", "the file ends before its last pixel; copy it again.") from None
    return image


def _convert(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Return gray or RGB pixels of a file in another mode, transparency laid over black as a DICOM viewer would."""
    notes: list[str] = []
    if image.mode == "1":
        return image.convert("L"), notes
    transparent = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    gray = image.mode in ("LA", "La")
    if transparent:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[0] != 255:
            notes.append("the image has transparent parts; they were laid over black")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return image.convert("L" if gray else "RGB"), notes


def _to_unit(values: np.ndarray) -> np.ndarray:
    """Scale decoded values by the nominal range of their type; return float32 ``(C, H, W)``."""
    if values.ndim == 3:
        values = np.ascontiguousarray(values.transpose(2, 0, 1))
    else:
        values = values[None]
    if values.dtype == np.uint8:
        return scale(values, 0, 255)
    if values.dtype == np.uint16:
        return scale(values, 0, 65535)
    check_finite(values)
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f" and low >= 0.0 and high <= 1.0:
        return values.astype(np.float32)
    raise ImageReadError(
        "unknown_range",
        f"the pixels are {values.dtype} from {low:g} to {high:g}, which says nothing about black and white; "
        "save the image with 8 or 16 bits unsigned, or as float from 0 to 1.",
    )
