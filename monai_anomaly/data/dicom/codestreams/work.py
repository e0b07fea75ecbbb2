# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How much work a compressed frame is, from its own headers: ITU-T T.800 Annex A for JPEG 2000."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import ceil

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.jpeg_stream import JPEG_START
from monai_anomaly.data.jpeg_work import check_jpeg_work

__all__ = ["check_work"]

CODESTREAM = b"\xff\x4f\xff\x51"  # SOC, SIZ
STYLE, COMPONENT_STYLE, TILE_PART, DATA = 0x52, 0x53, 0x90, 0x93

MAX_TILES = 2**14
"""Tiles; 64 mebipixels have 4,096 of 128 x 128."""
MAX_BLOCKS = 2**20
"""Blocks of coefficients; 64 mebipixels of three colors have 200,000 of 32 x 32."""
MAX_PACKETS = 2**22
"""Steps of a decoder's search for packets: precincts x resolutions x components x layers; four times a large one's."""
MAX_STARTS = 100
MAX_SEGMENTS = 100_000
"""Marker segments of all headers; every tile can have some."""


@dataclass(frozen=True)
class _Sizes:
    columns: int
    rows: int
    tile_columns: int
    tile_rows: int
    components: int

    @property
    def tiles(self) -> int:
        return ceil(self.columns / self.tile_columns) * ceil(self.rows / self.tile_rows)


def check_work(code: bytes) -> None:
    """Refuse a frame that would keep its decoder busy for longer than its size explains.

    Args:
        code: a JPEG, JPEG-LS or JPEG 2000.

    Raises:
        ImageReadError: ``budget``.
    """
    if code.startswith(JPEG_START):
        check_jpeg_work(code)
        return
    for found in islice(re.finditer(re.escape(CODESTREAM), code), MAX_STARTS):
        _check_jpeg2000(code, found.start())


def _check_jpeg2000(code: bytes, start: int) -> None:
    """Check what may be a codestream: in a JP2 file it stands behind boxes, in which others may hide."""
    if len(code) < start + 42:
        return
    columns, rows, left, top, tile_columns, tile_rows = struct.unpack_from(">6I", code, start + 8)
    (components,) = struct.unpack_from(">H", code, start + 40)
    sizes = _Sizes(columns - left, rows - top, max(tile_columns, 1), max(tile_rows, 1), components)
    if sizes.columns < 1 or sizes.rows < 1:
        return
    if sizes.tiles > MAX_TILES:
        raise _too_much("tiles")
    for style in _styles(code, start + 2, 2 if components < 257 else 3):
        _check_style(style, sizes)


def _styles(code: bytes, at: int, skip: int) -> Iterator[bytes]:
    """Yield the number of layers, two bytes, and how components are coded, for all headers of a codestream."""
    layers, tile_start, tile_length = b"\0\1", at, 0
    for _ in range(MAX_SEGMENTS):
        if at + 4 > len(code) or code[at] != 0xFF:
            return
        marker, length = code[at + 1], int(struct.unpack_from(">H", code, at + 2)[0])
        body = code[at + 4 : at + 2 + length]
        if marker == STYLE and len(body) >= 10:
            layers = body[2:4]
            yield layers + body[5:]
        elif marker == COMPONENT_STYLE and len(body) >= skip + 5:
            yield layers + body[skip:]
        elif marker == TILE_PART and len(body) >= 8:
            tile_start, tile_length = at, int(struct.unpack_from(">I", body, 2)[0])
        if marker == DATA and tile_length >= 14:
            at = tile_start + tile_length
        elif marker == DATA or length < 2:  # a last part without a length
            return
        else:
            at += 2 + length
    raise _too_much("marker segments")


def _check_style(style: bytes, sizes: _Sizes) -> None:
    layers, levels, width, height = int.from_bytes(style[:2], "big"), style[2], style[3] & 15, style[4] & 15
    precincts = style[7 : 8 + levels]
    columns, rows = min(sizes.tile_columns, sizes.columns), min(sizes.tile_rows, sizes.rows)
    blocks = ceil(columns / 2 ** (width + 2)) * ceil(rows / 2 ** (height + 2))
    most = 1
    for level, size in enumerate(precincts):
        scale = max(levels - level, 0)
        across, down = 2 ** ((size & 15) + scale), 2 ** ((size >> 4) + scale)
        most = max(most, (columns // across + 1) * (rows // down + 1))
    per_tile = sizes.tiles * sizes.components
    if blocks * per_tile > MAX_BLOCKS:
        raise _too_much("blocks")
    if most * (levels + 1) * layers * per_tile > MAX_PACKETS:
        raise _too_much("packets")


def _too_much(what: str) -> ImageReadError:
    return ImageReadError("budget", f"the JPEG 2000 has more {what} than its size needs; export the image again.")
