# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The headers of a JPEG 2000 or HTJ2K codestream, and zeros in its place: ITU-T T.800 Annex A."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from monai_anomaly.data.errors import ImageReadError

__all__ = ["JP2_SIGNATURE", "JPEG2000_START", "Sizes", "check_jpeg2000", "has_color_transform", "read_sizes"]

JPEG2000_START = b"\xff\x4f\xff\x51"  # SOC, SIZ
JP2_SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
CODING_STYLE, TILE_PART, DATA = 0x52, b"\xff\x90", b"\xff\x93"
SHORTEST_RUN = 64
MAX_TILE_PARTS = 100_000
MAX_BOXES = 1000
MAX_SEGMENTS = 100_000  # a style for each of 16,384 components, twice over


@dataclass(frozen=True)
class Sizes:
    """What the first headers of a codestream say.

    Args:
        rows: rows.
        columns: columns.
        components: values of a pixel.
        precision: bits of a value, the same for all components.
        signed: whether values have a sign.
        lossy: whether the wavelet is the irreversible one.
        packets: how many parts of the compressed data may be empty, each a byte of 0.
        alike: whether all components have one size, depth and sign.
    """

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool
    lossy: bool
    packets: int
    alike: bool


def find_jpeg2000(code: bytes) -> int | None:
    """Return where a JPEG 2000 codestream starts, behind the boxes of a JP2 file; None for other codestreams.

    The boxes are walked, because a search could find the start of another stream that hides in one of them.
    """
    if code.startswith(JPEG2000_START):
        return 0
    at = 0
    for _ in range(MAX_BOXES if code.startswith(JP2_SIGNATURE) else 0):
        if at + 16 > len(code):
            return None
        length, kind = struct.unpack_from(">I4s", code, at)
        head = 16 if length == 1 else 8
        if kind == b"jp2c":
            return at + head
        if length == 1:
            (length,) = struct.unpack_from(">Q", code, at + 8)
        if length < head:  # 0: to the end of the file
            return None
        at += length
    return None


def read_sizes(code: bytes) -> Sizes | None:
    """Return what a JPEG 2000 codestream says about its picture; None for other codestreams.

    Args:
        code: a codestream, or a JP2 file.
    """
    start = find_jpeg2000(code)
    if start is None or len(code) < start + 45 or code[start : start + 4] != JPEG2000_START:
        return None
    x1, y1, x0, y0 = struct.unpack_from(">4I", code, start + 8)
    (components,) = struct.unpack_from(">H", code, start + 40)
    each = code[start + 42 : start + 42 + 3 * components]
    alike = each == (each[:1] + b"\1\1") * components
    style = _coding_style(code, start)
    lossy = len(style) > 9 and style[9] == 0
    packets = _count_packets(style, y1, x1, components)
    return Sizes(y1 - y0, x1 - x0, components, (each[0] & 127) + 1, bool(each[0] & 128), lossy, packets, alike)


def has_color_transform(code: bytes) -> bool:
    """Return whether a JPEG 2000 codestream says that its decoder turns its components to RGB."""
    start = find_jpeg2000(code)
    return start is not None and _coding_style(code, start)[4:5] == b"\1"


def check_jpeg2000(code: bytes) -> None:
    """Refuse a codestream with zeros where a broken copy lost a block, which decoders take for empty parts or noise.

    Its compressed data look like chance, so that a long run of zeros is only made by parts that are empty, of which
    there are not more than layers, resolutions and components allow. That the codestream ends early, its decoder says.

    Args:
        code: a codestream whose sizes have been checked, or a JP2 file.

    Raises:
        ImageReadError: ``decode_failed`` or ``budget``, or ``unsupported`` for components that are not alike.
    """
    sizes, start = read_sizes(code), find_jpeg2000(code)
    if sizes is None or start is None:
        return
    if not sizes.alike:
        raise ImageReadError(
            "unsupported", "the components of the JPEG 2000 differ in size, depth or sign; export the image again."
        )
    if sizes.packets > len(code):
        return
    zeros = bytes(max(SHORTEST_RUN, sizes.packets + 8))
    at = max((end for _, _, end in _segments(code, start)), default=len(code))
    for _ in range(MAX_TILE_PARTS):
        if code[at : at + 2] != TILE_PART or at + 12 > len(code):
            return
        (length,) = struct.unpack_from(">I", code, at + 6)
        end = at + length if length else len(code)
        if code.find(zeros, code.find(DATA, at, end), end) >= 0:
            raise ImageReadError(
                "decode_failed", "a part of the JPEG 2000 is lost, with zeros in its place; copy or export it again."
            )
        at = max(end, at + 12)
    raise ImageReadError("budget", f"the JPEG 2000 has more than {MAX_TILE_PARTS} parts; export it again.")


def _segments(code: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment before the first tile."""
    at = start + 2
    for _ in range(MAX_SEGMENTS):
        if at + 4 > len(code) or code[at] != 0xFF or code[at : at + 2] == TILE_PART:
            return
        end = at + 2 + int(struct.unpack_from(">H", code, at + 2)[0])
        yield code[at + 1], at, end
        at = end
    raise ImageReadError("budget", f"the JPEG 2000 has more than {MAX_SEGMENTS} marker segments; export it again.")


def _coding_style(code: bytes, start: int) -> bytes:
    """Return the content of the segment that says how the picture was compressed, empty without one."""
    return next((code[at + 4 : end] for marker, at, end in _segments(code, start) if marker == CODING_STYLE), b"")


def _count_packets(style: bytes, rows: int, columns: int, components: int) -> int:
    """Return the parts of a tile's compressed data, at most: one for each layer, component, resolution and precinct."""
    if len(style) < 10:
        return 0
    (layers,) = struct.unpack_from(">H", style, 2)
    levels = min(style[5], 32)
    precincts = 0
    for level in range(levels + 1):
        size = style[10 + level] if style[0] & 1 and len(style) > 10 + level else 0xFF
        shrunk = levels - level
        down, right = (1 << (size >> 4) + shrunk, 1 << (size & 15) + shrunk)
        precincts += (-(-rows // down) + 1) * (-(-columns // right) + 1) if size != 0xFF else 1
    return int(layers) * components * precincts
