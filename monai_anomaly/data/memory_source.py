# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Pictures that are in memory already, as the reader has those of files."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from PIL import Image
from pydicom import Dataset

from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.frame_source import DecodedImage, FrameSource
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.data.pixel_values import check_finite, scale, small_range
from monai_anomaly.data.rasters.pillow_image import decode_picture, load_picture
from monai_anomaly.data.read_limits import check_budget

__all__ = ["is_picture", "memory_source"]

BITS_PER_SAMPLE, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0
RANGES = {"bool": (0.0, 1.0), "uint8": (0.0, 255.0), "uint16": (0.0, 65535.0)}
"""Black and white of the types that say so themselves."""


def is_picture(data: Any) -> bool:
    """Return whether it is something that :func:`memory_source` takes."""
    return isinstance(data, (np.ndarray, torch.Tensor, Image.Image, Dataset))


def memory_source(
    data: Any, reader: ClinicalImageReader, value_range: tuple[float, float] | None = None
) -> FrameSource:
    """Return the frames of a picture in memory, for :meth:`.ClinicalImageReader.read`.

    A ``Dataset`` and a Pillow image go through the same decoders, checks and limits as a file. An image of Pillow is
    the one page that it shows.

    Args:
        data: an array or tensor ``(H, W)`` or ``(C, H, W)``, C 1 or 3; an image of Pillow; a ``Dataset`` of pydicom.
        reader: whose rules for files hold, too.
        value_range: black and white of an array; None takes those of its type: 0 and 1 of bool, 0 and 255 of uint8, 0
            and 65535 of uint16. Values outside are clipped.

    Raises:
        ImageReadError: whatever is wrong with the picture.
        TypeError: for something else.
        ValueError: for a range that is none, or one for a picture that says its own.
    """
    if value_range is not None:
        value_range = _check_range(value_range)
    if isinstance(data, (np.ndarray, torch.Tensor)):
        return _ArraySource(_to_array(data), value_range, reader)
    if not is_picture(data):
        raise TypeError(
            f"a picture must be a path, an array, a tensor, an image of Pillow or a Dataset of pydicom, got "
            f"{type(data).__name__}."
        )
    if value_range is not None:
        raise ValueError("value_range is for arrays and tensors; a file, an image of Pillow and a Dataset say theirs.")
    return _PillowSource(data, reader) if isinstance(data, Image.Image) else reader.open_dataset(data)


class _ArraySource:
    """The one frame of an array."""

    frames = 1

    def __init__(
        self, values: np.ndarray, value_range: tuple[float, float] | None, reader: ClinicalImageReader
    ) -> None:
        values = _channel_first(values)
        check_budget(reader.limits, rows=values.shape[1], columns=values.shape[2], bytes_per_pixel=4 * len(values))
        kind = values.dtype.kind
        if kind == "f":
            check_finite(values)
        elif kind not in "biu":
            raise ImageReadError("unsupported", f"pixels of type {values.dtype} are none; give numbers.")
        known = value_range or RANGES.get(values.dtype.name)
        if known is None:
            raise ImageReadError(
                "unknown_range",
                f"an array of {values.dtype} does not say which values are black and white; give value_range=(black, "
                "white).",
            )
        self._values, self._range = values, known
        self._bits = 8 * values.dtype.itemsize if value_range is None else 0

    def decode(self, index: int) -> DecodedImage:
        """Return the array, scaled; see :class:`~monai_anomaly.data.frame_source.FrameSource`."""
        with boundary("scaling the array"):
            values = self._values
            if values.dtype != np.uint8 or self._range != RANGES["uint8"]:
                values = scale(values, *self._range)
            notes = small_range(values, self._bits, "give value_range=(black, white)")
        return DecodedImage(values=values, kind="array", frame=index, warnings=notes)


class _PillowSource:
    """The one page that an image of Pillow shows."""

    frames = 1

    def __init__(self, image: Image.Image, reader: ClinicalImageReader) -> None:
        _check_tiff(image)
        self._image, self._limits = image, reader.limits

    def decode(self, index: int) -> DecodedImage:
        """Return the image; see :class:`~monai_anomaly.data.frame_source.FrameSource`."""
        return decode_picture(load_picture(self._image, self._limits))


def _check_tiff(image: Image.Image) -> None:
    """Refuse a TIFF of which Pillow does not know white and black, or as many bits as it has."""
    tags = getattr(image, "tag_v2", None)
    if tags is None or image.format != "TIFF":
        return
    bits = set(tags.get(BITS_PER_SAMPLE, (1,)))
    if (tags.get(PHOTOMETRIC) == WHITE_IS_ZERO and not bits <= {1, 8}) or not bits <= {1, 8, 16, 32}:
        raise ImageReadError(
            "unsupported", "Pillow opened a TIFF whose white or whose bits it does not know; give the file's path."
        )


def _to_array(data: np.ndarray | torch.Tensor) -> np.ndarray:
    """Return the array of a tensor, whatever its device and however few its bits."""
    if isinstance(data, torch.Tensor):
        tensor = data.detach().as_subclass(torch.Tensor).cpu()
        return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    if isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data):
        raise ImageReadError("unsupported", "the array has masked values; fill them.")
    return np.asarray(data)


def _channel_first(values: np.ndarray) -> np.ndarray:
    """Return the array as ``(C, H, W)``, C 1 or 3."""
    if values.ndim == 2:
        return values[None]
    if values.ndim == 3 and values.shape[0] in (1, 3):
        return values
    cure = "give (H, W) or (C, H, W) with 1 or 3 channels"
    if values.ndim == 3 and values.shape[2] in (1, 3):
        cure = "its channels come last: give numpy.moveaxis(array, -1, 0)"
    elif values.ndim == 4:
        cure = "it is a batch: give list(array)"
    raise ImageReadError("unsupported", f"an array of shape {values.shape} is no picture; {cure}.")


def _check_range(value_range: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in value_range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"value_range must be (black, white) with black < white, got {value_range!r}.")
    return low, high
