# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""NRRD and MetaImage, through ITK.

ITK is told which of its decoders to use, so that it never tries another one (and never GDCM on a DICOM file), and only
sees files whose header and amount of data were checked before. It is imported with the first such file, because that
takes a second.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from monai_anomaly.data.arrays.gzip_stream import open_gzip
from monai_anomaly.data.arrays.header import ArrayHeader, ZlibStream, check_inflated, check_sizes, check_stored
from monai_anomaly.data.arrays.meta_header import read_meta_header
from monai_anomaly.data.arrays.nrrd_header import read_nrrd_header
from monai_anomaly.data.arrays.values import ValueRange, choose_range, find_extremes, scale_values
from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.frame_source import DecodedImage
from monai_anomaly.data.read_limits import ReadLimits
from monai_anomaly.data.zero_tail import check_zero_tail

__all__ = ["ItkSource", "import_itk", "load_itk"]

PIXEL_TYPES = {"u1": "UC", "i1": "SS", "u2": "US", "i2": "SS", "f4": "F"}
"""Type of a stored number -> ITK's name of a type that holds it exactly; D (64-bit float) for all others."""


class ItkSource:
    """The frames of an open ``.nrrd``, ``.mha`` or ``.mhd`` file; the whole file is held in memory once one is decoded.

    Args:
        stream: the open file, at its start.
        path: its path, which ITK opens again.
        limits: checked on the header, before anything is inflated.
        kind: ``"nrrd"`` or ``"metaimage"``.
        frames_axis: the stored axis that counts frames, color not counted; None for a file that holds one picture.
        value_range: values of black and white, see :mod:`monai_anomaly.data.arrays.values`.

    Raises:
        ImageReadError: whatever is wrong with the header.
    """

    def __init__(
        self,
        stream: BinaryIO,
        path: PathLike | str,
        limits: ReadLimits,
        *,
        kind: str,
        frames_axis: int | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        with boundary("reading the header"):
            self._header = (read_nrrd_header if kind == "nrrd" else read_meta_header)(stream)
        self.frames = check_sizes(self._header, limits, frames_axis)
        with boundary("reading the header"):
            self._data = _find_data(path, self._header)
        self._path, self._kind = path, kind
        self._frames_axis, self._option = frames_axis, value_range
        self._volume: np.ndarray | None = None
        self._range: ValueRange | None = None

    def decode(self, index: int) -> DecodedImage:
        """Decode one frame; see :class:`~monai_anomaly.data.frame_source.FrameSource`."""
        header = self._header
        with boundary("decoding the array"):
            volume = self._whole()
            if self._range is None:
                self._range = choose_range(
                    self._option, None, dtype=header.dtype, extremes=lambda: find_extremes(volume)
                )
            if not header.packed:
                check_zero_tail(volume[index])
            frame = volume[index].transpose(2, 0, 1)
            pixels, notes = scale_values(frame, header.dtype, self._range)
        return DecodedImage(
            values=pixels,
            kind=self._kind,
            frames=self.frames,
            frame=index,
            spacing=header.spacing,
            spacing_origin=self._kind if header.spacing else "",
            warnings=notes,
        )

    def decode_mask(self, index: int) -> np.ndarray:
        """Return where a frame is not 0; see :class:`~monai_anomaly.data.rasters.lesion_mask.MaskSource`."""
        with boundary("decoding the mask"):
            values = self._whole()[index]
            find_extremes(values)
            return np.asarray((values != 0).any(axis=2))

    def _whole(self) -> np.ndarray:
        """Return the file as ``(T, H, W, C)``, which is loaded once."""
        if self._volume is None:
            self._volume = self._load()
        return self._volume

    def _load(self) -> np.ndarray:
        """Return the file as ``(T, H, W, C)``."""
        header = self._header
        _check_packed(self._data, header)
        array = _read_with_itk(os.fspath(self._path), self._kind, header)
        wanted = header.shape[::-1] if header.channels == 1 else (*header.shape[::-1], 3)
        if array.shape != wanted:
            raise ImageReadError("inconsistent", "ITK and the header disagree about the size; export the file again.")
        columns, rows = header.shape[:2]
        return array.reshape(self.frames, rows, columns, header.channels)  # the other axes have length 1


def _find_data(path: PathLike | str, header: ArrayHeader) -> Path:
    """Return the file with the data, which is a plain file next to the header; check its size."""
    data = Path(path)
    if not os.fspath(path).isascii() and os.fsencode(path) != os.fspath(path).encode("utf-8", "replace"):
        raise ImageReadError("unsupported", "ITK opens no path that is not UTF-8; rename the file or its folder.")
    if header.data_file:
        data = data.parent / header.data_file
        try:
            mode = os.lstat(data).st_mode
        except FileNotFoundError:
            raise ImageReadError(
                "not_found", "the file that ElementDataFile names is not next to the header; copy both."
            ) from None
        if not stat.S_ISREG(mode):
            raise ImageReadError(
                "unsupported", "ElementDataFile is a link or no plain file; copy the file itself next to the header."
            )
    size = os.stat(data).st_size - header.offset
    if not header.packed:
        check_stored(size, header.size)
    elif header.packed_size is not None:
        check_stored(size, header.packed_size)
    return data


def _check_packed(data: Path, header: ArrayHeader) -> None:
    """Inflate packed data once without keeping it, so that ITK is given neither a bomb nor a truncated file."""
    if not header.packed:
        return
    with open(data, "rb") as stream:
        stream.seek(header.offset)
        if header.packed == "gzip":
            check_inflated(open_gzip(stream), header.size)
        else:
            check_inflated(ZlibStream(stream, header.packed_size), header.size)


def _read_with_itk(path: str, kind: str, header: ArrayHeader) -> np.ndarray:
    """Return what ITK reads, its axes in the reverse of the stored order, color last."""
    itk = import_itk()
    try:
        decoder = (itk.NrrdImageIO if kind == "nrrd" else itk.MetaImageIO).New()
        pixel = getattr(itk, PIXEL_TYPES.get(header.dtype.str[1:], "D"))
        image = (itk.Image if header.channels == 1 else itk.VectorImage)[pixel, len(header.shape)]
        reader = itk.ImageFileReader[image].New(FileName=path, ImageIO=decoder)
        reader.Update()
        return cast(np.ndarray, itk.array_from_image(reader.GetOutput()))
    except RuntimeError:
        raise ImageReadError("decode_failed", "ITK cannot read the file; export it again.") from None


def load_itk() -> None:
    """Load ITK's libraries, which takes seconds, before the first file needs them; do nothing where it is missing."""
    with suppress(ImageReadError):
        itk = import_itk()
        for name in ("NrrdImageIO", "MetaImageIO", "Image", "VectorImage", "ImageFileReader"):
            getattr(itk, name)


def import_itk() -> Any:
    """Return the module; its warnings, which quote the file, are switched off."""
    try:
        import itk

        itk.Object.GlobalWarningDisplayOff()
    except ImportError:
        raise ImageReadError(
            "missing_package", "NRRD and MetaImage files need the package itk; run pip install itk."
        ) from None
    return itk
