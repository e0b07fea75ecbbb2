# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
import struct
import zlib

import pytest

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.rasters import bounds
from monai_anomaly.data.rasters.bounds import check_parts
from monai_anomaly.data.rasters.pillow_image import open_picture
from monai_anomaly.data.read_limits import ReadLimits
from tests.helpers.pictures import encode, make_gray


def refuse(content: bytes, words: str, **limits: int) -> None:
    for check in (check_parts, open_picture):
        with pytest.raises(ImageReadError, match=f"budget: {words}"):
            check(io.BytesIO(content), ReadLimits(**limits))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("kind", [b"tEXt", b"IDAT", b"abCd"])
def test_parts_of_a_png(monkeypatch, kind):
    content = encode(make_gray(), "PNG")
    monkeypatch.setattr(bounds, "MAX_PARTS", 100)
    check_parts(io.BytesIO(content), ReadLimits())
    refuse(content[:33] + chunk(kind, b"") * 200 + content[33:], "the PNG has more than 100 parts")


@pytest.mark.parametrize("part", [b"\xff\xe5\0\2", b"\xff\xfe\0\2", b"\xff\xc4\0\2"])
def test_parts_of_a_jpeg(part):
    content = encode(make_gray(), "JPEG")
    refuse(content[:2] + part * 20_000 + content[2:], "the JPEG has more than 10000 parts")


def test_scans_of_a_jpeg():
    content = encode(make_gray(), "JPEG", progressive=True)
    start, end = content.rindex(b"\xff\xda"), content.rindex(b"\xff\xd9")
    refuse(content[:end] + content[start:end] * 2000 + content[end:], "the JPEG has more than 100 scans")


def test_fill_bytes_of_a_jpeg_are_passed_over_at_once():
    content = encode(make_gray(), "JPEG")
    check_parts(io.BytesIO(content[:2] + b"\xff" * 5_000_000 + content[2:]), ReadLimits())


@pytest.mark.parametrize("method", [1, 2])
def test_run_lengths_of_a_bmp(method):
    content = bytearray(encode(make_gray(), "BMP"))
    content[30:34] = struct.pack("<I", method)
    content[54:] = b"\1\7" * (bounds.MAX_RUNS // 2)
    refuse(bytes(content), "the BMP has more than 4194304 bytes of run lengths")


def test_pixels_of_a_bmp_with_run_lengths():
    content = bytearray(encode(make_gray(), "BMP"))
    content[30:34], content[18:26] = struct.pack("<I", 1), struct.pack("<2i", 8000, -8000)
    refuse(bytes(content), "the BMP has run lengths and more than 16777216 pixels")


def test_a_file_is_not_longer_than_its_pixels_may_be():
    content = encode(make_gray(), "PNG")
    refuse(content + bytes(100_000), "the file has .* bytes, more than max_bytes=90000; raise it", max_bytes=90_000)


def test_the_stream_is_left_at_its_start():
    for kind in ("PNG", "JPEG", "BMP"):
        stream = io.BytesIO(encode(make_gray(), kind))
        check_parts(stream, ReadLimits())
        assert stream.tell() == 0
