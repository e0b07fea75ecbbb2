# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""PNG, JPEG and BMP, through Pillow."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.frame_source import DecodedImage
from monai_anomaly.data.pixel_values import check_finite, scale, small_range, unit, unit_range
from monai_anomaly.data.rasters.bounds import check_parts
from monai_anomaly.data.rasters.orientation import turn_upright
from monai_anomaly.data.rasters.png_depth import PngDepth, read_depth
from monai_anomaly.data.rasters.reduction import reduction
from monai_anomaly.data.rasters.whole import WholeFile, check_whole
from monai_anomaly.data.read_limits import ReadLimits, check_budget

__all__ = ["SPREAD", "RasterSource", "decode_picture", "find_orientation", "load_picture", "open_picture"]

FORMATS = ("PNG", "JPEG", "BMP")
"""The only Pillow plug-ins that are let near a file."""

EXIF_ORIENTATION = 274
SPREAD = "save the image with values up to those of white"


class RasterSource:
    """The picture of an open file; 8 bits scale by 255, 16 bits by 65535, or by the bits that a PNG says it uses.

    Args:
        stream: the open file, at its start; stays open until the picture is decoded.
        limits: checked on the header.
        enough: rows and columns that are enough, with which a large JPEG may be decoded; None decodes all of them.

    Raises:
        ImageReadError: whatever is wrong with the header.
    """

    frames = 1

    def __init__(self, stream: BinaryIO, limits: ReadLimits, enough: int | None = None) -> None:
        self._stream = stream
        self._limits = limits
        self._image = open_picture(stream, limits)
        self._enough = enough

    def decode(self, index: int) -> DecodedImage:
        """Decode the picture; see :class:`~monai_anomaly.data.frame_source.FrameSource`."""
        image, whole = self._load(self._enough)
        if whole.reduced is not None:
            return _reduced_picture(image, whole)
        return decode_picture(image, depth=read_depth(self._stream), notes=whole.notes)

    def decode_mask(self, index: int) -> np.ndarray:
        """Return where it is not black; see :class:`~monai_anomaly.data.rasters.lesion_mask.MaskSource`."""
        image, _ = self._load()
        with boundary("decoding the mask"):
            lossy = image.format == "JPEG"
            orientation = find_orientation(image)
            if image.mode in ("LA", "RGBA", "PA", "P", "CMYK", "YCbCr") or "transparency" in image.info:
                image = image.convert("RGB")
            values = np.asarray(image)
            mask = np.asarray(values >= 128 if lossy else values != 0)
            return turn_upright(mask if mask.ndim == 2 else np.asarray(mask.any(axis=2)), orientation)

    def _load(self, enough: int | None = None) -> tuple[Image.Image, WholeFile]:
        """Return the picture, loaded unless it could be had with fewer pixels, and what is known of its file."""
        image = self._image
        may_be_less = image.format == "JPEG" and image.mode in ("L", "RGB")
        whole = check_whole(self._stream, reduction((image.height, image.width), enough) if may_be_less else 1)
        if whole.reduced is not None:
            if whole.reduced.min() != whole.reduced.max():
                return image, whole
            whole = whole._replace(reduced=None)  # whether every pixel has the same value, all of them say
        if whole.code is not None:
            image = open_picture(io.BytesIO(whole.code), self._limits)
        return load_picture(image, self._limits), whole


def decode_picture(image: Image.Image, *, depth: PngDepth | None = None, notes: Iterable[str] = ()) -> DecodedImage:
    """Turn a loaded picture into pixels.

    Args:
        image: the picture, which stays as it is.
        depth: bits of a PNG, of which Pillow keeps the upper 8 of colors; None for those of Pillow's mode.
        notes: what was tolerated in the file.

    Raises:
        ImageReadError: whatever is wrong with its pixels.
    """
    mode, file_format = image.mode, image.format or ""
    warnings = list(notes)
    orientation = 1
    if "exif" in image.info:
        with boundary("turning the image upright"):
            orientation = find_orientation(image)
            image = ImageOps.exif_transpose(image)
    if mode in ("1", "LA", "La", "PA", "P", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"):
        with boundary("converting the colors"):
            image, more = _convert(image)
        warnings += more
    with boundary("decoding the image"):
        values, more = _to_values(np.asarray(image), depth)
    return DecodedImage(
        values=values,
        kind="raster",
        file_format=file_format,
        photometric=mode,
        orientation=orientation,
        warnings=[*warnings, *more],
    )


def _reduced_picture(image: Image.Image, whole: WholeFile) -> DecodedImage:
    """Return a JPEG that was decoded at a part of its size; its header says the rest."""
    assert whole.reduced is not None
    with boundary("turning the image upright"):
        orientation = find_orientation(image)
        values = np.ascontiguousarray(turn_upright(whole.reduced, orientation).transpose(2, 0, 1))
    return DecodedImage(
        values=values,
        kind="raster",
        reduced_from=(image.width, image.height) if orientation >= 5 else (image.height, image.width),
        file_format="JPEG",
        photometric=image.mode,
        orientation=orientation,
        warnings=list(whole.notes),
    )


def find_orientation(image: Image.Image) -> int:
    """Return how the Exif data of a loaded picture say that it lies, 1 to 8; 1 for data that make no sense."""
    orientation = image.getexif().get(EXIF_ORIENTATION) if "exif" in image.info else 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def open_picture(stream: BinaryIO, limits: ReadLimits) -> Image.Image:
    """Open a file without decoding, and look at its size."""
    with boundary("reading the image's header"):
        check_parts(stream, limits)
        try:
            image = Image.open(stream, formats=FORMATS)
        except Image.DecompressionBombError:
            raise ImageReadError("budget", "the image is beyond Pillow's own limit; export a smaller one.") from None
        except UnidentifiedImageError:
            raise ImageReadError("decode_failed", "the header of the image is damaged; copy the file again.") from None
        check_budget(limits, rows=image.height, columns=image.width, bytes_per_pixel=4)
        return image


def load_picture(image: Image.Image, limits: ReadLimits) -> Image.Image:
    """Decode a picture that is open."""
    with boundary("decoding the image"):
        check_budget(limits, rows=image.height, columns=image.width, bytes_per_pixel=4)
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


def _to_values(values: np.ndarray, depth: PngDepth | None) -> tuple[np.ndarray, list[str]]:
    """Return decoded values ``(C, H, W)`` as :class:`.DecodedImage` has them, and warnings."""
    values = np.ascontiguousarray(values.transpose(2, 0, 1)) if values.ndim == 3 else values[None]
    if values.dtype == np.uint8:
        wide = depth is not None and depth.stored > 8  # of colors of 16 bits Pillow keeps the upper 8
        return values, small_range(unit(values), depth.stored, SPREAD) if depth and wide else []
    if values.dtype == np.uint16:
        white = depth.white(values) if depth else 65535
        pixels = scale(values, 0, white)
        return pixels, small_range(pixels, white.bit_length(), SPREAD)
    check_finite(values)
    if values.dtype.kind == "f":
        return unit_range(values), []
    raise ImageReadError(
        "unknown_range",
        f"the pixels are {values.dtype}, which says nothing about black and white; save the image with 8 or 16 bits "
        "unsigned.",
    )
