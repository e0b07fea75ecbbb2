# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Two-dimensional NIfTI in one file, through nibabel.

The first stored index runs along the columns and the second along the rows; the affine never flips or turns the
picture (see :mod:`monai_anomaly.data.arrays.header`). Only the fixed part of the header is read: its extensions can
hold a whole DICOM header, and nibabel logs what it finds wrong in the words of the file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import BinaryIO, cast

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy

from monai_anomaly.data.arrays.gzip_stream import open_gzip
from monai_anomaly.data.arrays.header import ArrayHeader, check_inflated, check_sizes, check_stored, to_spacing
from monai_anomaly.data.arrays.values import ValueRange, choose_range, find_extremes, scale_values
from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.frame_source import DecodedImage
from monai_anomaly.data.read_limits import ReadLimits
from monai_anomaly.data.zero_tail import check_zero_tail

__all__ = ["NiftiSource", "read_fields"]

MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}
"""Code of the unit of length -> mm: meter, millimeter, micrometer."""

DTYPES = (2, 4, 8, 16, 64, 128, 256, 512, 768, 1024, 1280, 2304)
"""Data types that are read, by the code of the standard: integers, 32 and 64-bit floats, RGB24 (128), RGBA32 (2304)."""

COMPLEX = (32, 1792, 2048)
VECTOR_INTENTS = (0, 1007, 2003)
"""What a fifth axis of length 3 may mean to be taken as red, green and blue: unsaid, vector, RGB vector."""

MAX_OFFSET = 16 * 2**20
"""Most bytes ahead of the pixels (the header's extensions)."""


@dataclass(frozen=True)
class NiftiHeader(ArrayHeader):
    """The fixed part of a NIfTI header.

    Args:
        slope: factor of the stored numbers.
        intercept: summand of the stored numbers.
        declared: display range, ``(cal_min, cal_max)``.
    """

    slope: float = 1.0
    intercept: float = 0.0
    declared: tuple[float, float] = (0.0, 0.0)

    @property
    def value_dtype(self) -> np.dtype:
        """Type of the values after slope and intercept."""
        if self.dtype.names:
            return np.dtype(np.uint8)
        return self.dtype if (self.slope, self.intercept) == (1.0, 0.0) else np.dtype(np.float64)


class NiftiSource:
    """The frames of an open ``.nii`` or ``.nii.gz`` file; one frame at a time is held in memory.

    Args:
        stream: the open file, at its start; stays open as long as frames are decoded.
        limits: checked on the header, before anything is inflated.
        frames_axis: the stored axis that counts frames; None for a file that holds one picture.
        value_range: values of black and white, see :mod:`monai_anomaly.data.arrays.values`.
        voi: use the header's display range.

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
        voi: bool = True,
    ) -> None:
        with boundary("reading the NIfTI header"):
            packed = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            self._stream = open_gzip(stream) if packed else stream
            self._header = header = _read_header(self._stream, frames_axis)
        self.frames = check_sizes(header, limits, frames_axis)
        if not packed:
            check_stored(stream.seek(0, 2), header.offset + header.size)
        self._packed = self._unchecked = packed
        self._frames_axis = frames_axis
        self._declared = header.declared if voi else None
        self._option = value_range
        self._range: ValueRange | None = None

    def decode(self, index: int) -> DecodedImage:
        """Decode one frame; see :class:`~monai_anomaly.data.frame_source.FrameSource`."""
        with boundary("decoding the NIfTI array"):
            values, notes = _to_channels(self._stored(index))
            if not self._packed:
                check_zero_tail(values.transpose(1, 2, 0))
            dtype = self._header.value_dtype
            if self._range is None:
                self._range = choose_range(self._option, self._declared, dtype=dtype, extremes=self._extremes)
            pixels, more = scale_values(values, dtype, self._range)
        return DecodedImage(
            values=pixels,
            kind="nifti",
            frames=self.frames,
            frame=index,
            spacing=self._header.spacing,
            spacing_origin="nifti" if self._header.spacing else "",
            voi=self._range.origin == "header",
            warnings=notes + more,
        )

    def decode_mask(self, index: int) -> np.ndarray:
        """Return where a frame is not 0; see :class:`~monai_anomaly.data.rasters.lesion_mask.MaskSource`."""
        with boundary("decoding the mask"):
            values = _to_channels(self._stored(index))[0]
            find_extremes(values)
            return np.asarray((values != 0).any(axis=0))

    def _stored(self, index: int) -> np.ndarray:
        """Return one frame, the axis of frames kept with length 1, after slope and intercept."""
        header = self._header
        if self._unchecked:
            self._stream.seek(0)
            check_inflated(self._stream, header.size, skip=header.offset)
            self._unchecked = False
        shape = (*header.shape, header.channels) if header.channels == 3 and not header.dtype.names else header.shape
        spec = (shape, header.dtype, header.offset, header.slope, header.intercept)
        where: list[int | slice] = [slice(None)] * len(shape)
        if self._frames_axis is not None:
            where[self._frames_axis] = slice(index, index + 1)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found as not finite
            return np.asarray(ArrayProxy(self._stream, spec, mmap=False)[tuple(where)])

    def _extremes(self) -> tuple[float, float]:
        """Return the least and the greatest value of all frames."""
        pairs = [find_extremes(self._stored(index)) for index in range(self.frames)]
        return min(low for low, _ in pairs), max(high for _, high in pairs)


def _read_header(stream: BinaryIO, frames_axis: int | None) -> NiftiHeader:
    """Parse the fixed part of the header; everything that is used of it is checked."""
    header = read_fields(stream)
    dtype, shape = _read_dtype(header), _read_shape(header)
    channels = 3 if dtype.names else 1
    vector = len(shape) == 5 and shape[4] == 3 and int(header["intent_code"]) in VECTOR_INTENTS
    if vector and channels == 1 and frames_axis != 4:
        shape, channels = shape[:4], 3
    slope, intercept = _read_slope(header, dtype)
    column, row = (float(n) for n in header["pixdim"][1:3])
    unit = MM_PER_UNIT.get(int(header["xyzt_units"]) & 7)
    return NiftiHeader(
        shape=shape,
        dtype=dtype,
        offset=_read_offset(header),
        channels=channels,
        spacing=to_spacing(column, row, unit) if unit else None,
        slope=slope,
        intercept=intercept,
        declared=(float(header["cal_min"]), float(header["cal_max"])),
    )


def read_fields(stream: BinaryIO) -> nib.Nifti1Header:
    """Return the fields of the header, of either version of the format, as they are."""
    block = stream.read(540)
    second = block[4:7] in (b"n+2", b"ni2")
    if not second and block[344:347] not in (b"n+1", b"ni1"):
        raise ImageReadError("decode_failed", "the packed file holds no NIfTI header; unpack or export it again.")
    if block[4:7] == b"ni2" or block[344:347] == b"ni1":
        raise ImageReadError("unsupported", "the pixels are in another file (.hdr and .img); store them as one .nii.")
    if len(block) < (540 if second else 348):
        raise ImageReadError("truncated", "the file ends within its header; copy it again.")
    header = nib.Nifti2Header(block, check=False) if second else nib.Nifti1Header(block[:348], check=False)
    if int(header["sizeof_hdr"]) != len(header.binaryblock):
        raise ImageReadError("inconsistent", "sizeof_hdr is not the size of a NIfTI header; export the file again.")
    return header


def _read_dtype(header: nib.Nifti1Header) -> np.dtype:
    """Return the type of a stored pixel."""
    code = int(header["datatype"])
    if code in COMPLEX:
        raise ImageReadError("unsupported", "the NIfTI array holds complex numbers; store their magnitude.")
    if code not in DTYPES:
        raise ImageReadError(
            "unsupported", "the header's datatype is none that is read; store 8 or 16-bit unsigned integers."
        )
    dtype = cast(np.dtype, header.get_data_dtype())
    if int(header["bitpix"]) != 8 * dtype.itemsize:
        raise ImageReadError("inconsistent", "bitpix is not the size of datatype; export the file again.")
    return dtype


def _read_shape(header: nib.Nifti1Header) -> tuple[int, ...]:
    """Return the sizes of the array's axes."""
    count = int(header["dim"][0])
    shape = tuple(int(n) for n in header["dim"][1 : count + 1])
    if not 2 <= count <= 7 or min(shape) < 1:
        raise ImageReadError(
            "inconsistent", "dim names no picture: 2 to 7 axes, none shorter than 1, are wanted; export it again."
        )
    return shape


def _read_offset(header: nib.Nifti1Header) -> int:
    """Return where the pixels begin."""
    offset = float(header["vox_offset"])
    least = 544 if int(header["sizeof_hdr"]) == 540 else 352
    if not (math.isfinite(offset) and offset == int(offset) and least <= offset <= MAX_OFFSET):
        raise ImageReadError(
            "inconsistent", f"vox_offset is no whole number from {least} to {MAX_OFFSET}; export the file again."
        )
    return int(offset)


def _read_slope(header: nib.Nifti1Header, dtype: np.dtype) -> tuple[float, float]:
    """Return factor and summand of the stored numbers; a slope of 0 says that there are none."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or dtype.names:
        return 1.0, 0.0
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise ImageReadError("non_finite", "scl_slope or scl_inter is NaN or infinite; correct the export.")
    return slope, intercept


def _to_channels(stored: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return ``(C, H, W)`` of a frame with index order ``(x, y, ...)``, colors in a structured type or a last axis."""
    notes: list[str] = []
    columns, rows = stored.shape[:2]
    if stored.dtype.names:
        colors = np.stack([stored[name] for name in stored.dtype.names], axis=-1)
        if colors.shape[-1] == 4:
            colors, notes = _over_black(colors)
        stored = colors
    return stored.reshape(columns, rows, -1).transpose(2, 1, 0), notes


def _over_black(colors: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Lay transparent colors over black, as for a PNG."""
    alpha = colors[..., 3:].astype(np.uint16)
    if alpha.min() == 255:
        return colors[..., :3], []
    mixed = ((colors[..., :3] * alpha + 127) // 255).astype(np.uint8)
    return mixed, ["the image has transparent parts; they were laid over black"]
