# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Two-dimensional NIfTI, through nibabel.

The first stored index runs along the columns and the second along the rows, as tools that write a picture to NIfTI
store it; the affine never flips or turns the picture, because a two-dimensional ultrasound or radiograph has no
position in the patient.
"""

from __future__ import annotations

import gzip
import math
from io import IOBase
from typing import BinaryIO, cast

import nibabel as nib
import numpy as np

from monai_anomaly.data.decoded import (
    DecodedImage,
    ReadLimits,
    boundary,
    check_budget,
    check_finite,
    scale,
)
from monai_anomaly.data.errors import ImageReadError

__all__ = ["NiftiSource"]

MM_PER_UNIT = {"mm": 1.0, "meter": 1000.0, "micron": 0.001}


class NiftiSource:
    """The frames of an open ``.nii`` or ``.nii.gz`` file.

    Args:
        stream: the open file, at its start; stays open as long as frames are decoded.
        limits: checked on the header, before anything is inflated.
        frames_axis: the stored axis that counts frames; None for a file that holds one picture.
        value_range: values of black and white. None takes the header's display range (``cal_min``, ``cal_max``), else
            the full range of an unsigned integer type, else 0 to 1 for float values within it, else the darkest and
            the brightest pixel, with a warning.

    Raises:
        ImageReadError: whatever is wrong with the header.
    """

    def __init__(
        self,
        stream: BinaryIO,
        limits: ReadLimits,
        *,
        frames_axis: int | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        with boundary("reading the NIfTI header"):
            packed = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            source = cast(IOBase, gzip.GzipFile(fileobj=stream) if packed else stream)
            second = int.from_bytes(source.read(4), "little") in (540, 0x1C020000)
            source.seek(0)
            self._image = (nib.Nifti2Image if second else nib.Nifti1Image).from_stream(source)
            shape, dtype = tuple(int(n) for n in self._image.shape), self._image.get_data_dtype()
        if len(shape) < 2 or min(shape) < 1:
            raise ImageReadError(
                "inconsistent", f"the NIfTI array has shape {shape}; a picture needs two axes of pixels."
            )
        self.frames = _count_frames(shape, frames_axis)
        size = max(dtype.itemsize, 4) * math.prod(shape) // (shape[0] * shape[1] * self.frames)
        check_budget(limits, rows=shape[1], columns=shape[0], frames=self.frames, bytes_per_pixel=size)
        self._frames_axis = frames_axis
        self._value_range = value_range

    def decode(self, index: int) -> DecodedImage:
        """Decodes one frame; see :class:`~monai_anomaly.data.decoded.FrameSource`."""
        image = self._image
        with boundary("decoding the NIfTI array"):
            where: list[int | slice] = [slice(None)] * len(image.shape)
            if self._frames_axis is not None:
                where[self._frames_axis] = slice(index, index + 1)
            stored = np.asarray(image.dataobj[tuple(where)])
        values = _to_channels(stored)
        spacing = _spacing(image)
        pixels, notes = _to_unit(values, image, image.get_data_dtype(), self._value_range)
        return DecodedImage(
            pixels=pixels,
            kind="nifti",
            frames=self.frames,
            frame=index,
            spacing=spacing,
            spacing_origin="nifti" if spacing else "",
            warnings=notes,
        )


def _count_frames(shape: tuple[int, ...], frames_axis: int | None) -> int:
    """Returns the length of the frames axis; refuses arrays with a third axis that nobody named."""
    frames = 1
    if frames_axis is not None:
        if not 2 <= frames_axis < len(shape):
            raise ImageReadError(
                "inconsistent",
                f"frames_axis={frames_axis} is no axis of the NIfTI shape {shape} beyond its rows and columns; "
                "correct frames_axis.",
            )
        frames = shape[frames_axis]
        shape = (*shape[:frames_axis], 1, *shape[frames_axis + 1 :])
    extra = shape[2:]
    if all(n == 1 for n in extra) or (len(shape) == 5 and extra == (1, 1, 3)):
        return frames
    raise ImageReadError(
        "ambiguous_axes",
        f"the NIfTI array has shape {shape}, more than one picture; set frames_axis to the axis that counts frames.",
    )


def _to_channels(stored: np.ndarray) -> np.ndarray:
    """Returns ``(C, H, W)`` of an array with index order ``(x, y, ...)``, RGB in a structured type or a fifth axis."""
    if stored.dtype.names:
        stored = np.stack([stored[name] for name in stored.dtype.names[:3]], axis=-1)
        return stored.reshape(stored.shape[0], stored.shape[1], 3).transpose(2, 1, 0)
    channels = 3 if stored.ndim == 5 and stored.shape[4] == 3 else 1
    return stored.reshape(stored.shape[0], stored.shape[1], channels).transpose(2, 1, 0)


def _to_unit(
    values: np.ndarray, image: nib.Nifti1Image, dtype: np.dtype, value_range: tuple[float, float] | None
) -> tuple[np.ndarray, list[str]]:
    """Scales to [0, 1] by the range that the caller, the header or the type declares."""
    if values.dtype.kind in "fc":
        check_finite(values)
    if values.dtype.kind == "c":
        raise ImageReadError("unsupported", "the NIfTI array holds complex numbers; store their magnitude.")
    if value_range is not None:
        return scale(values, *value_range), []
    low, high = float(image.header["cal_min"]), float(image.header["cal_max"])
    if math.isfinite(low) and math.isfinite(high) and high > low:
        return scale(values, low, high), []
    if dtype.names:
        return scale(values, 0, 255), []
    if values.dtype.kind == "u":
        return scale(values, 0, np.iinfo(values.dtype).max), []
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f" and low >= 0.0 and high <= 1.0:
        return np.ascontiguousarray(values, dtype=np.float32), []
    note = "the NIfTI file declares no range of values; the image's own darkest and brightest pixel were used"
    return (scale(values, low, high) if high > low else np.zeros(values.shape, np.float32)), [note]


def _spacing(image: nib.Nifti1Image) -> tuple[float, float] | None:
    """Returns ``(row, column)`` mm per pixel, or None unless the header gives lengths in a known unit."""
    factor = MM_PER_UNIT.get(image.header.get_xyzt_units()[0])
    zooms = image.header.get_zooms()
    column, row = float(zooms[0]), float(zooms[1])
    if factor is None or not (math.isfinite(row) and math.isfinite(column) and row > 0 and column > 0):
        return None
    return row * factor, column * factor
