# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Ways to break a file: those of bad disks and cut copies, and those of somebody who knows the formats."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["mutate"]

Random = np.random.Generator
Mutator = Callable[[bytearray, str, Random], None]

MOST_ADDED = 4 * 2**20
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
WORDS = (b"\xff\xff", b"\xff\xff\xff\xff", b"\0\0\xc0\x7f", b"nan ", b"1e99", b"\0\0\0\0")


def mutate(content: bytes, suffix: str, random: Random, others: Sequence[bytes]) -> bytes:
    """Return a file that is broken in one to three ways.

    Args:
        content: a whole file.
        suffix: its name's ending.
        random: draws the ways.
        others: files to splice with.
    """
    data = bytearray(content)
    if random.random() < 0.4:
        _damage(data, suffix, random)
        return bytes(data)
    for _ in range(int(random.integers(1, 4))):
        own = _OF_KIND.get(suffix, ())
        known = (*_OF_ALL, *own, *own)
        way = int(random.integers(len(known) + 1))
        if way == len(known):
            _splice(data, others[int(random.integers(len(others)))], random)
        else:
            known[way](data, suffix, random)
        del data[len(content) + 3 * MOST_ADDED :]
    return bytes(data)


def _damage(data: bytearray, _: str, random: Random) -> None:
    """Flip, cut, insert, copy and overwrite, half of it near the start, where headers are."""
    for _round in range(int(random.integers(1, 5))):
        if not data:
            return
        at = _place(data, random)
        kind = int(random.integers(6))
        if kind == 0:
            for place in random.integers(at, min(at + 64, len(data)), int(random.integers(1, 9))):
                data[place] = int(random.integers(256))
        elif kind == 1:
            del data[at : at + int(random.integers(1, 65))]
        elif kind == 2:
            data[at:at] = random.bytes(int(random.integers(1, 65)))
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            word = WORDS[int(random.integers(len(WORDS)))]
            data[at : at + len(word)] = word
        else:
            size, other = int(random.integers(1, 257)), int(random.integers(len(data)))
            data[at : at + size] = data[other : other + size]


def _place(data: bytearray, random: Random) -> int:
    return int(random.integers(max(1, len(data) if random.random() < 0.5 else min(len(data), 2048))))


def _many(random: Random, size: int = 1) -> int:
    """Return how often something of a size is repeated: up to 60,000 times, few more often than many."""
    return min(int(10 ** random.uniform(0.3, 4.78)), MOST_ADDED // max(size, 1))


# ---- of all kinds ------------------------------------------------------------------------------------------------


def _splice(data: bytearray, other: bytes, random: Random) -> None:
    """Go on with another file."""
    at, start = _place(data, random), int(random.integers(max(1, len(other))))
    if random.random() < 0.5:
        data[at:at] = other[start : start + int(random.integers(1, 4096))]
    else:
        data[at:] = other[start:]


def _zeros(data: bytearray, _: str, random: Random) -> None:
    """Put zeros in place of a part, or between two parts."""
    at, size = _place(data, random), _many(random) * 64
    data[at : at + (size if random.random() < 0.5 else 0)] = bytes(min(size, MOST_ADDED))


def _repeat(data: bytearray, _: str, random: Random) -> None:
    """Repeat a part."""
    at, size = _place(data, random), int(2 ** random.uniform(2, 12))
    part = bytes(data[at : at + size])
    data[at:at] = part * _many(random, size)


def _number(data: bytearray, _: str, random: Random) -> None:
    """Set numbers of a header to extremes."""
    for _round in range(int(random.integers(1, 4))):
        at, value = int(random.integers(max(1, min(len(data), 600)))), EXTREMES[int(random.integers(len(EXTREMES)))]
        size = 4 if value > 0xFFFF or random.random() < 0.5 else 2
        data[at : at + size] = value.to_bytes(4, "little")[:size][:: 1 if random.random() < 0.5 else -1]


# ---- DICOM -------------------------------------------------------------------------------------------------------


def _dicom_number(data: bytearray, _: str, random: Random) -> None:
    """Set what describes the pixels."""
    element = int(random.choice([0x0002, 0x0010, 0x0011, 0x0100, 0x0101, 0x0102, 0x0103, 0x0006]))
    at = data.find(struct.pack("<HH2sH", 0x28, element, b"US", 2))
    if at >= 0:
        data[at + 8 : at + 10] = struct.pack("<H", EXTREMES[int(random.integers(8))])


def _dicom_nesting(data: bytearray, _: str, random: Random) -> None:
    """Put sequences into sequences, with and without lengths, ahead of an element."""
    heads = [found.start() for found in re.finditer(rb"\x28\x00..US\x02\x00", bytes(data[:65536]), re.DOTALL)]
    at = heads[int(random.integers(len(heads)))] if heads else _place(data, random)
    tag = [(0x5200, 0x9230), (0x18, 0x6011), (0x28, 0x3010), (0x9, 0x10)][int(random.integers(4))]
    length = [0xFFFFFFFF, 0, 0x7FFFFFFF, 8][int(random.integers(4))]
    level = struct.pack("<HH2sHI", *tag, b"SQ", 0, length) + struct.pack("<HHI", 0xFFFE, 0xE000, length)
    inside = level * _many(random, len(level))
    if random.random() < 0.5:  # with a length around them, so that they are opened when they are asked for
        inside = struct.pack("<HH2sHI", *tag, b"SQ", 0, len(inside)) + inside
    data[at:at] = inside


def _dicom_elements(data: bytearray, _: str, random: Random) -> None:
    """Put many small elements, items or fragments ahead of the pixels or behind their start."""
    at = max(data.find(b"\xe0\x7f\x10\0"), 0)
    part = [
        struct.pack("<HH2sH", 0x9, 0x1000, b"UN", 0) + bytes(4),
        struct.pack("<HH2sH", 0x28, 0x1050, b"DS", 2) + b"1 ",
        struct.pack("<HHI", 0xFFFE, 0xE000, 0),
        bytes(8),
    ][int(random.integers(4))]
    place = at + (0 if random.random() < 0.6 else 12)
    data[place:place] = part * _many(random, len(part))


def _dicom_text(data: bytearray, _: str, random: Random) -> None:
    """Give an element very many values, as a type of unknown length may have."""
    at = max(data.find(b"\x28\0\x10\0US"), 0)
    value = b"1\\" * _many(random, 2)
    tag = [(0x28, 0x1050), (0x18, 0x1620), (0x28, 0x3002), (0x20, 0xD)][int(random.integers(4))]
    data[at:at] = struct.pack("<HH2sHI", *tag, b"UN", 0, len(value)) + value


# ---- JPEG, also in DICOM -----------------------------------------------------------------------------------------


def _jpeg_scans(data: bytearray, _: str, random: Random) -> None:
    """Repeat a scan, or a segment ahead of it."""
    start = data.find(b"\xff\xd8\xff")
    scan = data.find(b"\xff\xda", start)
    if start < 0 or scan < 0:
        return
    if random.random() < 0.5:
        parts = (b"\xff\xe5\0\2", b"\xff\xfe\0\2", b"\xff", b"\xff\xc4\0\2", b"\xff\xdd\0\4\0\1")
        part = parts[int(random.integers(5))]
        data[start + 2 : start + 2] = part * _many(random, len(part))
        return
    end = data.find(b"\xff\xd9", scan)
    cut = scan + 14 + int(random.integers(0, 64)) if random.random() < 0.7 else end
    part = bytes(data[scan:cut])
    data[end:end] = part * _many(random, len(part) + 1)


def _jpeg_size(data: bytearray, _: str, random: Random) -> None:
    """Change rows or columns, and what depends on them not."""
    for marker in (b"\xff\xc0", b"\xff\xc1", b"\xff\xc2", b"\xff\xc3", b"\xff\xf7"):
        at = data.find(marker + b"\0")
        if at >= 0:
            value = [1, 255, 4096, 8191, 65535][int(random.integers(5))]
            data[at + 5 : at + 7] = value.to_bytes(2, "big")
            data[at + 7 : at + 9] = [1, 512, 8192, 16383, 65535][int(random.integers(5))].to_bytes(2, "big")


def _jpeg2000(data: bytearray, _: str, random: Random) -> None:
    """Ask for many tiles, layers, levels and precincts."""
    at = data.find(b"\xff\x4f\xff\x51")
    if at < 0:
        return
    if random.random() < 0.5:
        side = int(random.choice([1, 2, 8, 64, 2**31])).to_bytes(4, "big")
        data[at + 24 : at + 32] = side * 2
    style = data.find(b"\xff\x52", at)
    if style >= 0:
        data[style + 6 : style + 8] = int(random.choice([1, 0x7FFF, 0xFFFF])).to_bytes(2, "big")
        if random.random() < 0.5:
            data[style + 9] = int(random.choice([0, 1, 5, 32, 33, 255]))
        if random.random() < 0.5:
            data[style + 4] |= 1


# ---- pictures ----------------------------------------------------------------------------------------------------


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_chunks(data: bytearray, _: str, random: Random) -> None:
    """Insert chunks with right checksums: tiny ones, and bombs."""
    kind = [b"tEXt", b"zTXt", b"iCCP", b"IDAT", b"tRNS", b"PLTE", b"eXIf", b"iTXt", b"abCd"][int(random.integers(9))]
    body = [b"", b"a\0b", b"a\0\0" + zlib.compress(bytes(int(random.choice([10**4, 10**8]))), 9), bytes(768)]
    part = _chunk(kind, body[int(random.integers(4))])
    at = 33 if random.random() < 0.7 else max(data.rfind(b"IEND") - 4, 33)
    data[at:at] = part * _many(random, len(part))


def _png_header(data: bytearray, _: str, random: Random) -> None:
    """Change size, depth and color, with the right checksum."""
    header = bytearray(data[16:29])
    at = int(random.choice([0, 4, 8, 9, 12]))
    if at < 8:
        header[at : at + 4] = int(random.choice([0, 1, 8192, 60000, 2**31 - 1])).to_bytes(4, "big")
    elif len(header) == 13:
        header[at] = int(random.choice([0, 1, 2, 3, 4, 6, 8, 16]))
    data[8:33] = _chunk(b"IHDR", bytes(header))


def _tiff_pages(data: bytearray, _: str, random: Random) -> None:
    """Chain very many directories, or let the chain bite its tail."""
    if data[:4] != b"II*\0" or len(data) < 10:
        return
    first = struct.unpack_from("<I", data, 4)[0]
    if first + 2 > len(data):
        return
    size = 2 + 12 * struct.unpack_from("<H", data, first)[0]
    directory = bytes(data[first : first + size])
    if random.random() < 0.3:
        data[first + size : first + size + 4] = struct.pack("<I", first)
        return
    if random.random() < 0.5:
        directory, size = b"\1\0" + directory[2:14], 14
    count, start = _many(random, size + 4), len(data)
    pages = (directory + struct.pack("<I", start + (k + 1) * (size + 4)) for k in range(count - 1))
    data += b"".join(pages) + directory + bytes(4)
    data[4:8] = struct.pack("<I", start)


def _tiff_entry(data: bytearray, _: str, random: Random) -> None:
    """Set type, count or value of an entry."""
    if data[:4] != b"II*\0" or len(data) < 10:
        return
    first = struct.unpack_from("<I", data, 4)[0]
    if first + 2 > len(data):
        return
    entry = first + 2 + 12 * int(random.integers(max(1, struct.unpack_from("<H", data, first)[0])))
    place = entry + int(random.choice([0, 2, 4, 8]))
    data[place : place + 4] = EXTREMES[int(random.integers(len(EXTREMES)))].to_bytes(4, "little")


def _bmp_runs(data: bytearray, _: str, random: Random) -> None:
    """Say that the pixels are run lengths, of a large picture."""
    if len(data) > 54:
        data[30:34] = struct.pack("<I", int(random.choice([1, 2])))
        data[28:30] = struct.pack("<H", int(random.choice([4, 8])))
        side = int(random.choice([100, 2000, 8000]))
        data[18:26] = struct.pack("<2i", side, side)
        data[54:] = bytes([1, 7]) * _many(random, 1)


# ---- arrays ------------------------------------------------------------------------------------------------------


def _gzip(data: bytearray, _: str, random: Random) -> None:
    """Add members, a long name, or a bomb."""
    kind = int(random.integers(4))
    at = max(data.find(b"\x1f\x8b\x08"), 0)
    if kind == 0:
        part = gzip.compress(b"", mtime=0)
        data[at:at] = part * _many(random, len(part))
    elif kind == 1:
        data[at + 3] = 8
        data[at + 10 : at + 10] = b"n" * (_many(random) * 60) + b"\0"
    elif kind == 2:
        data += gzip.compress(bytes(int(random.choice([10**4, 2 * 10**8]))), 9, mtime=0)
    else:
        data += bytes(_many(random) * 60)


def _nifti_header(data: bytearray, _: str, random: Random) -> None:
    """Set the sizes of axes, the type and where the pixels begin."""
    kind = int(random.integers(3))
    if kind == 0:
        at = 40 + 2 * int(random.integers(8))
        data[at : at + 2] = int(random.choice([0, 1, 2, 7, 8192, 32767, 65535])).to_bytes(2, "little")
    elif kind == 1:
        data[70:72] = int(random.choice([2, 16, 64, 128, 1536, 2304])).to_bytes(2, "little")
    else:
        data[108:112] = struct.pack("<f", float(random.choice([0, 352, 1e9, -1, np.nan])))


def _text_lines(data: bytearray, suffix: str, random: Random) -> None:
    """Repeat lines of a text header, or set its numbers."""
    line = {".nrrd": [b"#\n", b"a:=b\n", b"# " + b"x" * 1000 + b"\n"], ".mha": [b"Comment = a\n", b"\n", b"A1 = b\n"]}
    at = data.find(b"\n") + 1
    if random.random() < 0.5:
        part = line[suffix][int(random.integers(3))]
        lines = [part.replace(b"a:", b"k%d:" % k).replace(b"A1", b"A%d" % k) for k in range(_many(random, len(part)))]
        data[at:at] = b"".join(lines)
        return
    numbers = list(re.finditer(rb"\d+", bytes(data[:400])))
    if numbers:
        found = numbers[int(random.integers(len(numbers)))]
        data[found.start() : found.end()] = str(EXTREMES[int(random.integers(len(EXTREMES)))]).encode()


_OF_ALL: tuple[Mutator, ...] = (_damage, _zeros, _repeat, _number)
_OF_KIND: dict[str, tuple[Mutator, ...]] = {
    ".dcm": (
        *(_dicom_number, _dicom_nesting, _dicom_elements, _dicom_text),
        *(_jpeg_scans, _jpeg_size, _jpeg2000),
    ),
    ".jpg": (_jpeg_scans, _jpeg_scans, _jpeg_size),
    ".png": (_png_chunks, _png_chunks, _png_header),
    ".tif": (_tiff_pages, _tiff_pages, _tiff_entry),
    ".bmp": (_bmp_runs,),
    ".nii": (_nifti_header,),
    ".nii.gz": (_gzip,),
    ".nrrd": (_text_lines, _gzip),
    ".mha": (_text_lines,),
}
