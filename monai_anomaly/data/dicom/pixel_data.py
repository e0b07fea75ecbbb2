# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The pixels of a DICOM file as stored values, one frame at a time.

pydicom decodes a codestream before it compares sizes, so a few patched bytes cost gigabytes; it stops silently at a
fragment that is not there; it believes an offset table that is wrong; and it walks all fragments again for every frame.
Here the walk is made once, and where frames have several fragments, each begins with the fragment that starts a
codestream.
"""

from __future__ import annotations

import os
import struct
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import RLELossless

from monai_anomaly.data.dicom.codestreams.codestream import Codestream
from monai_anomaly.data.dicom.codestreams.work import check_work
from monai_anomaly.data.dicom.compressed import (
    check_code,
    check_damage,
    is_lossy,
    settle,
    starts_frame,
    take_colors,
    take_values,
)
from monai_anomaly.data.dicom.elements import element
from monai_anomaly.data.dicom.layout import DicomHeader
from monai_anomaly.data.dicom.pixel_element import UNDEFINED, check_native, enter_pixel_data, walk_fragments
from monai_anomaly.data.errors import ImageReadError, boundary
from monai_anomaly.data.zero_tail import check_zero_tail

__all__ = ["PixelData", "StoredFrame"]

ITEM_HEAD = b"\xfe\xff\x00\xe0"


class StoredFrame(NamedTuple):
    """A frame before its pixel rules.

    Args:
        values: ``(H, W)`` or ``(H, W, 3)``.
        colors: their photometric interpretation: the header's, unless the codestream says or does otherwise, e.g.
            JPEG 2000, which is decoded to RGB.
        notes: what was tolerated in this frame.
    """

    values: np.ndarray
    colors: str
    notes: tuple[str, ...]


class PixelData:
    """The pixel data element of an open file: its frames, decoded singly as stored values.

    Args:
        stream: the file, where the pixel data element starts.
        header: the checked header.

    Raises:
        ImageReadError: ``missing_tag``, ``truncated``, ``frame_count`` or ``inconsistent``.

    Attributes:
        header: the header, as the first codestream makes it.
        lossy: whether the values differ from those before a compression.
        warnings: what was tolerated.
    """

    def __init__(self, stream: BinaryIO, header: DicomHeader) -> None:
        self._stream = stream
        self.header = header
        self._stored: Codestream | None = None  # what the first codestream says
        self._fragments: list[list[tuple[int, int]]] = []  # of each frame
        self.warnings: tuple[str, ...] = ()
        with boundary("reading the length of the pixel data"):
            self._vr, length = enter_pixel_data(stream, header)
            self._start = stream.tell()
            size = stream.seek(0, os.SEEK_END)  # of a file in memory, too
            stream.seek(self._start)
        if header.syntax.is_implicit_VR == bool(self._vr):
            self.warnings += (f"{element('TransferSyntaxUID')} is wrong about types of elements; they were found out",)
        self.lossy = is_lossy(header, None)
        if not header.decoder:
            self.warnings += check_native(length, size - self._start, header)
            return
        if length != UNDEFINED:
            raise ImageReadError(
                "inconsistent", f"{element('PixelData')} is compressed but has a fixed length; export the image again."
            )
        with boundary("reading the fragments of the pixel data"):
            self._fragments = self._group(walk_fragments(stream, size))
            self._stored = check_code(self._read_codestream(0), header)
        if self._stored is not None:
            self.header, notes = settle(header, self._stored)
            self.warnings += notes
        self.lossy = is_lossy(self.header, self._stored)

    def decode(self, index: int) -> StoredFrame:
        """Return a frame's stored values.

        Args:
            index: from 0.

        Raises:
            ImageReadError: ``inconsistent``, ``truncated`` or ``decode_failed``.
        """
        header = self.header
        with boundary("decoding the pixels"):
            frame = self._decode_compressed(index) if header.decoder else self._decode_native(index)
        shape = (header.rows, header.columns) if header.samples == 1 else (header.rows, header.columns, 3)
        if frame.values.shape != shape:
            found = frame.values.shape
            raise ImageReadError("inconsistent", f"decoding gave {found} instead of {shape}; export it again.")
        return frame

    def _decode_native(self, index: int) -> StoredFrame:
        header = self.header
        self._stream.seek(self._start)
        options = self._options(header.frames, header.bits, header.signed)
        values, _ = get_decoder(header.syntax).as_array(self._stream, index=index, raw=True, **options)
        check_zero_tail(values)
        return StoredFrame(values, header.photometric, self._check_high_bits(index, values.size))

    def _check_high_bits(self, index: int, count: int) -> tuple[str, ...]:
        """Say that there is more in the words than Bits Stored: an old overlay, or values that were cut off."""
        header = self.header
        if header.bits == header.allocated or header.allocated not in (8, 16):
            return ()
        kind = np.dtype(f"{'<' if header.syntax.is_little_endian else '>'}u{header.allocated // 8}")
        self._stream.seek(self._start + index * count * kind.itemsize)
        words = np.frombuffer(self._stream.read(count * kind.itemsize), kind)
        # the sign of a signed value may fill the bits above it
        above = words >> (header.bits - 1 if header.signed else header.bits)
        full = kind.type(2 ** (header.allocated - header.bits + 1) - 1)
        if not above.any() or (header.signed and bool(((above <= 1) | (above == full)).all())):
            return ()
        return (f"values reach beyond {element('BitsStored')} {header.bits}; what lies above these bits was left out",)

    def _decode_compressed(self, index: int) -> StoredFrame:
        """Decode a frame as its codestream says, which is not always as the header says."""
        header, stored = self.header, self._stored
        code = self._read_codestream(index)
        if check_code(code, header) != stored:
            raise ImageReadError(
                "inconsistent", f"the frames of {element('PixelData')} are compressed in several ways; export it again."
            )
        if header.syntax != RLELossless:
            check_work(code)
        notes = check_damage(code, header, stored)
        code, colors = take_colors(code, header)
        # a file of one frame, made of one fragment, for pydicom: nothing left for it to search
        source = ITEM_HEAD + bytes(4) + ITEM_HEAD + struct.pack("<I", len(code)) + code
        bits, signed = (header.bits, header.signed) if stored is None else (stored.precision, bool(stored.signed))
        options = self._options(1, bits, signed)
        decoder = get_decoder(header.syntax)
        values, _ = decoder.as_array(source, index=0, raw=True, decoding_plugin=header.decoder, **options)
        if stored is not None:
            values, more = take_values(values, header, stored, lossy=self.lossy)
            notes += more
        return StoredFrame(values, colors, notes)

    def _options(self, frames: int, bits: int, signed: bool) -> dict[str, Any]:
        """Return the decoder's view of the header."""
        header = self.header
        options = {
            "rows": header.rows,
            "columns": header.columns,
            "samples_per_pixel": header.samples,
            "photometric_interpretation": header.photometric,
            "bits_allocated": header.allocated,
            "bits_stored": bits,
            "pixel_representation": int(signed),
            "number_of_frames": frames,
            "pixel_keyword": "PixelData",
            "pixel_vr": self._vr or "OW",
        }
        if header.samples == 3:
            # only uncompressed pixels have one: decoders give colors by pixel, whatever the header says
            options["planar_configuration"] = 0 if header.decoder else header.dataset.PlanarConfiguration
        return options

    def _read_codestream(self, index: int) -> bytes:
        """Return a frame's codestream."""
        parts = []
        for offset, length in self._fragments[index]:
            self._stream.seek(offset)
            parts.append(self._stream.read(length))
        return b"".join(parts)

    def _group(self, fragments: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
        """Return the fragments of each frame; refuse a file with fewer or more frames than it declares."""
        frames = self.header.frames
        if len(fragments) == frames:
            return [[fragment] for fragment in fragments]
        groups: list[list[tuple[int, int]]] = []
        for fragment in fragments:
            self._stream.seek(fragment[0])
            if not groups or starts_frame(self._stream.read(min(fragment[1], 16)), self.header):
                groups.append([])
            groups[-1].append(fragment)
        if len(groups) != frames:
            raise ImageReadError(
                "frame_count",
                f"{element('PixelData')} holds {len(groups)} frames where {element('NumberOfFrames')} says {frames}; "
                "export it again.",
            )
        return groups
