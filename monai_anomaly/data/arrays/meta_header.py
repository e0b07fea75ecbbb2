# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Header of a MetaImage (.mha, .mhd; https://itk.org/Wiki/MetaIO/Documentation), checked before ITK sees the file.

ITK prints what it finds wrong to the terminal in the words of the file, takes the second of two equal keys, and follows
the header to files anywhere; therefore the header is parsed here first, and anything beyond this grammar is refused.
"""

from __future__ import annotations

import re
from typing import BinaryIO

import numpy as np

from monai_anomaly.data.arrays.header import ArrayHeader, parse_sizes, to_spacing
from monai_anomaly.data.errors import ImageReadError

__all__ = ["read_meta_header"]

MAX_HEADER = 2**20
MAX_LINES = 4096  # ITK compares each line with those before it
MAX_AXES = 4

TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
"""``MET_LONG`` is left out: its size depends on who wrote it."""

FIXED = {
    "ObjectType": ("Image",),
    "BinaryData": ("True",),
    "HeaderSize": ("0",),
    "ElementToIntensityFunctionSlope": ("1",),
    "ElementToIntensityFunctionOffset": ("0",),
}
"""Keys that may be left out, and the only values with which the file is read."""

NUMBERS = {
    **dict.fromkeys(("Offset", "Position", "Origin", "CenterOfRotation", "ElementSpacing", "ElementSize"), "axes"),
    **dict.fromkeys(("TransformMatrix", "Rotation", "Orientation"), "matrix"),
    **dict.fromkeys(("ID", "ParentID", "ElementMin", "ElementMax", "CompressionLevel"), "one"),
    **{"Color": "four", "SequenceID": "axes"},
}
"""Keys that are not used, but have to be as many numbers as ITK expects, or it goes on to read the next line."""

FLAGS = {"True": True, "False": False}
FILE_NAME = r"\w[\w .()+-]{0,254}"


def read_meta_header(stream: BinaryIO) -> ArrayHeader:
    """Parse the header.

    Args:
        stream: the open file, at its start.

    Raises:
        ImageReadError: ``unsupported``, ``inconsistent`` or ``truncated``.
    """
    fields = _read_fields(stream)
    offset = stream.tell()
    for key, values in FIXED.items():
        if fields.get(key, values[0]) not in values:
            raise ImageReadError("unsupported", f"{key} is not {values[0]}; write the file so that it is.")
    data_file = fields["ElementDataFile"]
    if data_file == "LOCAL":
        data_file = ""
    elif re.fullmatch(FILE_NAME, data_file) is None or data_file.upper().startswith("LIST"):
        raise ImageReadError(
            "unsupported", "ElementDataFile is no plain name of a file in the same folder; store the image as one .mha."
        )
    shape = _read_shape(fields)
    _check_numbers(fields, len(shape))
    packed = _flag(fields, "CompressedData", False)
    return ArrayHeader(
        shape=shape,
        dtype=_read_dtype(fields),
        offset=0 if data_file else offset,
        channels=_read_channels(fields),
        packed="zlib" if packed else "",
        packed_size=_read_packed_size(fields) if packed else None,
        spacing=_read_spacing(fields, len(shape)),
        data_file=data_file,
    )


def _read_fields(stream: BinaryIO) -> dict[str, str]:
    """Return the fields up to ``ElementDataFile``, which is the last."""
    fields: dict[str, str] = {}
    left, lines = MAX_HEADER, 0
    while line := stream.readline(left + 1):
        left -= len(line)
        lines += 1
        if lines > MAX_LINES:
            raise ImageReadError("budget", f"the MetaImage header has more than {MAX_LINES} lines; export it again.")
        if left < 0:
            raise ImageReadError("budget", f"the MetaImage header is longer than {MAX_HEADER} bytes; export it again.")
        key, separator, value = line.decode("utf-8", "surrogateescape").partition("=")
        key = key.strip(" \t")
        if not separator and not line.strip():
            continue
        if not separator or not re.fullmatch(r"[^\s:\x00-\x1f]{1,200}", key):
            raise ImageReadError("inconsistent", "the MetaImage header has a line that is no key and value.")
        if key in fields:
            raise ImageReadError("inconsistent", "the MetaImage header gives a key twice; export the file again.")
        fields[key] = value.strip(" \t\r\n")
        if key == "ElementDataFile":
            return fields
    raise ImageReadError("truncated", "the MetaImage header ends without ElementDataFile; copy the file again.")


def _need(fields: dict[str, str], key: str) -> str:
    if key not in fields:
        raise ImageReadError("inconsistent", f"the MetaImage header has no {key}; export the file again.")
    return fields[key]


def _flag(fields: dict[str, str], key: str, default: bool | None = None) -> bool:
    value = _need(fields, key) if default is None else fields.get(key, str(default))
    if value not in FLAGS:
        raise ImageReadError("inconsistent", f"{key} is neither True nor False; export the file again.")
    return FLAGS[value]


def _read_shape(fields: dict[str, str]) -> tuple[int, ...]:
    """Return the length of every axis; the numbers of a pixel are none."""
    return parse_sizes(_need(fields, "DimSize"), _need(fields, "NDims"), names=("DimSize", "NDims"), most=MAX_AXES)


def _read_dtype(fields: dict[str, str]) -> np.dtype:
    """Return the type of a stored number, in the file's byte order."""
    name = TYPES.get(_need(fields, "ElementType"))
    if name is None:
        raise ImageReadError("unsupported", "ElementType is none that is read; store MET_UCHAR or MET_USHORT.")
    keys = [key for key in ("BinaryDataByteOrderMSB", "ElementByteOrderMSB") if key in fields]
    orders = {_flag(fields, key) for key in keys}
    if len(orders) > 1 or (not orders and name[1] != "1"):
        raise ImageReadError("inconsistent", "BinaryDataByteOrderMSB is missing or contradicted; export it again.")
    return np.dtype((">" if orders == {True} else "<") + name)


def _read_channels(fields: dict[str, str]) -> int:
    """Return the numbers per pixel."""
    count = fields.get("ElementNumberOfChannels", "1")
    if count not in ("1", "3"):
        raise ImageReadError("unsupported", "ElementNumberOfChannels is neither 1 nor 3; store gray or RGB pixels.")
    return int(count)


def _read_packed_size(fields: dict[str, str]) -> int:
    """Return the bytes of the compressed data; without them ITK returns memory that was never written to."""
    size = _need(fields, "CompressedDataSize")
    if re.fullmatch("[0-9]{1,15}", size) is None:
        raise ImageReadError("inconsistent", "CompressedDataSize is no whole number; export the file again.")
    return int(size)


def _check_numbers(fields: dict[str, str], axes: int) -> None:
    """Refuse numbers that ITK cannot read, which it would report on the terminal."""
    counts = {"axes": axes, "matrix": axes**2, "one": 1, "four": 4}
    keys = list(fields)
    for key in keys:
        if key in ("DimSize", *NUMBERS) and keys.index(key) < keys.index("NDims"):
            raise ImageReadError("inconsistent", f"{key} stands ahead of NDims; export the file again.")
        if key in NUMBERS:
            words = fields[key].split()
            if len(words) != counts[NUMBERS[key]] or not all(_is_number(word) for word in words):
                raise ImageReadError("inconsistent", f"{key} is not the numbers that it has to be; export it again.")


def _is_number(word: str) -> bool:
    """Return whether a word is a number that 64 bits hold."""
    if re.fullmatch(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?", word) is None:
        return False
    return abs(float(word)) < 1e300 and (abs(float(word)) > 1e-300 or not word.strip("+-0."))


def _read_spacing(fields: dict[str, str], axes: int) -> tuple[float, float] | None:
    """Return ``(row, column)`` in mm, the format's only unit.

    Two lengths of exactly 1 are what ITK writes for a picture without a spacing, and say nothing.
    """
    if "ElementSpacing" not in fields:
        return None
    column, row = (float(word) for word in fields["ElementSpacing"].split()[:2])
    if column == 0 or row == 0:
        raise ImageReadError("inconsistent", "ElementSpacing is 0, which ITK does not read; correct or remove it.")
    return None if column == row == 1 else to_spacing(column, row)
