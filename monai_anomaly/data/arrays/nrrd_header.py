# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Header of an NRRD file (https://teem.sourceforge.net/nrrd/format.html), checked before ITK sees the file.

ITK finds out about a wrong header only after it has reserved the memory, follows the header to other files, and quotes
the header in its messages; therefore the header is parsed here first, and anything beyond this grammar is refused.
"""

from __future__ import annotations

import math
import re
from typing import BinaryIO

import numpy as np

from monai_anomaly.data.arrays.header import ArrayHeader, parse_sizes, to_spacing
from monai_anomaly.data.errors import ImageReadError

__all__ = ["read_nrrd_header"]

MAX_HEADER = 2**20
MAX_LINES = 4096  # ITK compares each line with those before it
MAX_AXES = 5

TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
"""NumPy's name of a type and what the format calls it."""

ENCODINGS = {"raw": "", "gz": "gzip", "gzip": "gzip"}
COLOR_KINDS = ("RGB-color", "3-color", "vector", "3-vector")
PIXEL_KINDS = ("domain", "space", "???", "none")

FIELDS = (
    "type dimension sizes encoding endian kinds spacings units space spacedimension spaceunits spacedirections "
    "spaceorigin measurementframe lineskip byteskip datafile blocksize content number sampleunits min max oldmin "
    "oldmax axismins axismaxs thicknesses centerings centers labels"
).split()
"""Names of fields without their spaces, which the format lets be left out."""

MM_PER_UNIT = {"mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "micron": 0.001}


def read_nrrd_header(stream: BinaryIO) -> ArrayHeader:
    """Parse the header.

    Args:
        stream: the open file, at its start.

    Raises:
        ImageReadError: ``unsupported``, ``inconsistent`` or ``truncated``.
    """
    fields = _read_fields(stream)
    offset = stream.tell()
    if fields.get("lineskip", "0") != "0" or fields.get("byteskip", "0") != "0":
        raise ImageReadError("unsupported", "line skip and byte skip are not read; write the file without them.")
    if "datafile" in fields:
        raise ImageReadError("unsupported", "the data is in another file (data file); store both as one .nrrd.")
    if _need(fields, "encoding") not in ENCODINGS:
        raise ImageReadError("unsupported", "the encoding is neither raw nor gzip; write the file as one of them.")
    sizes = _read_sizes(fields)
    color = _find_color(fields, sizes)
    pixel_axes = [axis for axis in range(len(sizes)) if axis != color]
    return ArrayHeader(
        shape=tuple(sizes[axis] for axis in pixel_axes),
        dtype=_read_dtype(fields),
        offset=offset,
        channels=1 if color is None else 3,
        packed=ENCODINGS[fields["encoding"]],
        spacing=_read_spacing(fields, len(sizes), pixel_axes),
    )


def _read_fields(stream: BinaryIO) -> dict[str, str]:
    """Return the fields up to the empty line; comments and key-value pairs are left out."""
    fields: dict[str, str] = {}
    left, lines = MAX_HEADER, 0
    magic = stream.readline(16).rstrip(b"\r\n")
    if re.fullmatch(rb"NRRD000[1-5]", magic) is None:
        raise ImageReadError("unsupported", "the version of the NRRD format is none of 1 to 5; export it again.")
    while line := stream.readline(left + 1):
        left -= len(line)
        lines += 1
        if lines > MAX_LINES:
            raise ImageReadError("budget", f"the NRRD header has more than {MAX_LINES} lines; export it again.")
        if left < 0:
            raise ImageReadError("budget", f"the NRRD header is longer than {MAX_HEADER} bytes; export it again.")
        if not line.endswith(b"\n"):
            break
        text = line.rstrip(b"\r\n").decode("latin-1")
        if not text:
            return fields
        if text.startswith("#"):
            continue
        name, separator, value = text.partition(":")
        if separator and value.startswith("="):
            continue
        key = name.replace(" ", "")
        if key not in FIELDS or not value.startswith(" "):
            raise ImageReadError("inconsistent", "the NRRD header has a line that is no known field; export it again.")
        if key in fields:
            raise ImageReadError("inconsistent", f"the NRRD header gives {name} twice; export the file again.")
        fields[key] = value.strip()
    raise ImageReadError("truncated", "the NRRD header ends without an empty line; copy the file again.")


def _need(fields: dict[str, str], name: str) -> str:
    if name not in fields:
        raise ImageReadError("inconsistent", f"the NRRD header has no {name}; export the file again.")
    return fields[name]


def _read_sizes(fields: dict[str, str]) -> tuple[int, ...]:
    """Return the length of every stored axis."""
    return parse_sizes(_need(fields, "sizes"), _need(fields, "dimension"), names=("sizes", "dimension"), most=MAX_AXES)


def _read_dtype(fields: dict[str, str]) -> np.dtype:
    """Return the type of a stored number, in the file's byte order."""
    wanted = _need(fields, "type")
    name = next((name for name, aliases in TYPES.items() if wanted in aliases), None)
    if name is None:
        raise ImageReadError("unsupported", "the type is none that is read; store 8 or 16-bit unsigned integers.")
    orders = {"little": "<", "big": ">"}
    if name[1] == "1":
        return np.dtype(name)
    if _need(fields, "endian") not in orders:
        raise ImageReadError("inconsistent", "endian is neither little nor big; export the file again.")
    return np.dtype(orders[fields["endian"]] + name)


def _find_color(fields: dict[str, str], sizes: tuple[int, ...]) -> int | None:
    """Return the axis of red, green and blue, by ``kinds`` alone; refuse kinds that make no picture."""
    kinds = fields.get("kinds", "domain " * len(sizes)).split()
    if len(kinds) != len(sizes):
        raise ImageReadError("inconsistent", "kinds are not as many as dimension says; export the file again.")
    colors = [axis for axis, kind in enumerate(kinds) if kind in COLOR_KINDS]
    if len(colors) > 1 or any(sizes[axis] != 3 for axis in colors):
        raise ImageReadError("unsupported", "the pixels are neither gray nor RGB by kinds; store them as one of both.")
    others = [kind for axis, kind in enumerate(kinds) if axis not in colors]
    if any(kind not in (*PIXEL_KINDS, "time") for kind in others):
        raise ImageReadError("unsupported", "kinds name an axis that is no axis of pixels, time or RGB; convert it.")
    if "time" in others[:2]:
        raise ImageReadError("ambiguous_axes", "kinds make rows or columns an axis of time; store time as the last.")
    return colors[0] if colors else None


def _read_spacing(fields: dict[str, str], axes: int, pixel_axes: list[int]) -> tuple[float, float] | None:
    """Return ``(row, column)`` in mm where the header gives both lengths and their unit; no unit, no spacing."""
    if "spacings" in fields:
        units = _read_units(fields.get("units", ""))
        lengths = [[_number(word)] for word in fields["spacings"].split()]
        factors = [[units[axis]] if len(units) == axes else [math.nan] for axis in range(axes)]
    else:
        units = _read_units(fields.get("spaceunits", ""))
        words = re.findall(r"none|\([^()]*\)", fields.get("spacedirections", ""))
        lengths = [[_number(n) for n in word.strip("()").split(",")] for word in words]
        factors = [units] * axes
    if len(lengths) != axes or any(len(lengths[axis]) != len(factors[axis]) for axis in pixel_axes[:2]):
        return None
    if "spacings" in fields and any(lengths[axis][0] <= 0 for axis in pixel_axes[:2]):
        return None
    column, row = (
        math.hypot(*(n * f for n, f in zip(lengths[axis], factors[axis], strict=True) if n != 0))
        for axis in pixel_axes[:2]
    )
    return to_spacing(column, row)


def _read_units(text: str) -> list[float]:
    """Return mm per unit of every quoted name, NaN for one that is no known length."""
    return [MM_PER_UNIT.get(name, math.nan) for name in re.findall(r'"([^"]*)"', text)]


def _number(word: str) -> float:
    return (
        float(word) if re.fullmatch(r"\s*[-+]?[0-9.]+([eE][-+]?[0-9]+)?\s*", word) and word.count(".") < 2 else math.nan
    )
