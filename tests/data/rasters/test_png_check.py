# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.rasters.png_check import MOST_UNPACKED, PNG_START, check_png, unpack_png
from tests.helpers.dicom_files import refusal as refusal_of_file
from tests.helpers.pictures import encode, make_gray

GRAY = make_gray(64, 75)
COLOR = np.stack([GRAY, GRAY // 2, 255 - GRAY], -1)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def make_png(
    columns: int, rows: int, pixels: bytes, *, interlaced: int = 0, pieces: int = 1, spare: bytes = b""
) -> bytes:
    """Return a gray PNG of 8 bits with right checksums, whatever its pixels are."""
    packed = zlib.compress(pixels) + spare
    size = -(-len(packed) // pieces)
    data = b"".join(chunk(b"IDAT", packed[at : at + size]) for at in range(0, len(packed), size))
    header = struct.pack(">2I5B", columns, rows, 8, 0, 0, 0, interlaced)
    return PNG_START + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def lines(rows: int, columns: int) -> bytes:
    return (b"\0" + b"\x55" * columns) * rows


CODE = encode(GRAY, "PNG")
HALF = len(CODE) // 2
LAST = CODE.rindex(b"IEND") - 4
WHOLE = {
    "gray": CODE,
    "color": encode(COLOR, "PNG"),
    "16 bits": encode(GRAY.astype(np.uint16) * 257, "PNG"),
    "1 bit": encode(Image.fromarray(GRAY > 128), "PNG"),
    "palette": encode(Image.fromarray(COLOR).quantize(11), "PNG"),
    "transparent": encode(Image.fromarray(COLOR).convert("RGBA"), "PNG"),
    "several parts": make_png(20, 30, lines(30, 20), pieces=7),
    "interlaced": make_png(3, 3, b"".join(lines(*s) for s in ((1, 1), (1, 1), (1, 2), (2, 1), (1, 3))), interlaced=1),
    "bytes behind the end": CODE + bytes(1000),
}
DAMAGED = {
    "cut": CODE[:HALF],
    "zeros from the middle": CODE[:HALF] + bytes(len(CODE) - HALF),
    "zeros in the middle": CODE[:HALF] + bytes(512) + CODE[HALF + 512 :],
    "a flipped bit": CODE[:HALF] + bytes([CODE[HALF] ^ 16]) + CODE[HALF + 1 :],
    "a wrong checksum": CODE[: LAST - 1] + bytes([CODE[LAST - 1] ^ 1]) + CODE[LAST:],
    "without its last part": CODE[:LAST],
    "more rows": make_png(20, 31, lines(30, 20)),
    "fewer rows": make_png(20, 29, lines(30, 20)),
    "more columns": make_png(21, 30, lines(30, 20)),
    "swapped sides": make_png(30, 20, lines(30, 20)),
    "half of the compressed data": make_png(20, 30, lines(30, 20))[:41]
    + chunk(b"IDAT", b"x\x9c")
    + chunk(b"IEND", b""),
    "no pixels": PNG_START + chunk(b"IHDR", struct.pack(">2I5B", 2, 2, 8, 0, 0, 0, 0)) + chunk(b"IEND", b""),
    "no header": PNG_START + chunk(b"IEND", b""),
}


def refusal(data: bytes) -> str:
    with pytest.raises(ImageReadError) as caught:
        check_png(data)
    return caught.value.code


@pytest.mark.parametrize("name", WHOLE)
def test_whole_pictures_pass(name: str):
    assert check_png(WHOLE[name]) == ()


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_pictures_are_refused(name: str):
    assert refusal(DAMAGED[name]) in ("truncated", "decode_failed")


@pytest.mark.parametrize("name", ["more rows", "fewer rows", "swapped sides", "a wrong checksum"])
def test_what_another_package_told_pillow_does_not_count(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    (tmp_path / "a.png").write_bytes(DAMAGED[name])
    assert refusal_of_file(tmp_path / "a.png").code == "decode_failed"


def test_bytes_behind_the_last_pixel_are_said():
    assert check_png(make_png(20, 30, lines(30, 20), spare=b"xyz")) == ("the PNG has bytes behind its last pixel",)


def test_a_bomb_is_not_inflated_beyond_the_header():
    assert refusal(make_png(2, 2, bytes(50_000_000))) == "decode_failed"


def test_parts_are_bounded():
    assert refusal(CODE[:LAST] + chunk(b"tEXt", b"") * 200_001 + CODE[LAST:]) == "budget"


def decoded(code: bytes) -> tuple[str, dict[object, object], np.ndarray]:
    with Image.open(io.BytesIO(code)) as image:
        image.load()
        return image.mode, image.info, np.asarray(image)


@pytest.mark.parametrize("name", WHOLE)
def test_an_unpacked_png_is_the_same_picture_without_compression(name: str):
    notes, code = unpack_png(WHOLE[name])
    assert notes == () and code != WHOLE[name]
    ours, theirs = decoded(code), decoded(WHOLE[name])
    assert ours[:2] == theirs[:2]
    np.testing.assert_array_equal(ours[2], theirs[2])
    assert unpack_png(code) == ((), code)


def test_a_large_png_and_one_whose_parts_are_scattered_stay_as_they_are():
    rows = MOST_UNPACKED // 4000
    large = make_png(4000, rows, lines(rows, 4000))
    assert unpack_png(large) == ((), large)
    packed = zlib.compress(lines(30, 20))
    scattered = chunk(b"IDAT", packed[:9]) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", packed[9:])
    code = CODE[:33].replace(CODE[8:33], chunk(b"IHDR", struct.pack(">2I5B", 20, 30, 8, 0, 0, 0, 0)))
    code += scattered + chunk(b"IEND", b"")
    assert unpack_png(code) == ((), code)
