# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.jpeg_check import check_jpeg
from monai_anomaly.data.jpeg_stream import SCAN, Part, is_frame_header, walk_jpeg
from tests.helpers.pictures import encode, make_gray

GRAY = make_gray(128, 160)
COLOR = np.stack([GRAY, GRAY // 2, 255 - GRAY], -1)
BLACK = np.zeros((512, 1024), np.uint8)
CODE = encode(GRAY, "JPEG", quality=92)
HALF = len(CODE) // 2


def parts_of(code: bytes) -> list[Part]:
    return list(walk_jpeg(code))


def resized(code: bytes, rows: int, columns: int) -> bytes:
    at = next(part for part in parts_of(code) if is_frame_header(part.marker)).body + 1
    return code[:at] + rows.to_bytes(2, "big") + columns.to_bytes(2, "big") + code[at + 4 :]


def refusal(code: bytes) -> str:
    with pytest.raises(ImageReadError) as caught:
        check_jpeg(code)
    return caught.value.code


WHOLE = {
    "gray": CODE,
    "progressive": encode(GRAY, "JPEG", progressive=True),
    "color, subsampled": encode(COLOR, "JPEG", subsampling=2),
    "color, progressive": encode(COLOR, "JPEG", progressive=True, subsampling=1),
    "color as RGB": encode(COLOR, "JPEG", keep_rgb=True, subsampling=0),
    "four inks": encode(Image.fromarray(COLOR).convert("CMYK"), "JPEG"),
    "restarts": encode(GRAY, "JPEG", restart_marker_blocks=7),
    "one pixel": encode(GRAY[:1, :1], "JPEG"),
    "odd": encode(GRAY[:35, :51], "JPEG", optimize=True),
    "black": encode(BLACK, "JPEG"),
    "black, a run of zeros": encode(BLACK, "JPEG", optimize=True),
    "black, progressive": encode(BLACK, "JPEG", optimize=True, progressive=True),
    "color, black": encode(np.zeros((512, 512, 3), np.uint8), "JPEG", optimize=True),
    "a picture behind the end": CODE + encode(GRAY[::4, ::4], "JPEG"),
    "cut picture behind the end": CODE + encode(GRAY[::4, ::4], "JPEG")[:300],
    "thumbnail in a part": CODE[:2]
    + b"\xff\xe1\2\x02"
    + encode(GRAY[:8, :8], "JPEG")[:512].ljust(512, b"\0")
    + CODE[2:],
    "camera's padding": CODE + bytes(3000),
    "DICOM's padding": CODE + b"\0",
    "zeros before the end": CODE[:-2] + bytes(100) + CODE[-2:],
    "fill bytes before the end": CODE[:-2] + b"\xff" * 100 + CODE[-2:],
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_pictures_pass(name: str):
    assert check_jpeg(WHOLE[name]) == ()


def test_black_pictures_do_have_runs_of_zeros():
    assert bytes(64) in WHOLE["black, a run of zeros"] and bytes(64) in WHOLE["color, black"]


PROGRESSIVE = WHOLE["color, progressive"]
LAST_SCAN = [part for part in parts_of(PROGRESSIVE) if part.marker == SCAN][-1]
DAMAGED = {
    "cut": CODE[:HALF],
    "cut, with an end": CODE[:HALF] + b"\xff\xd9",
    "zeros from the middle": CODE[:HALF] + bytes(HALF),
    "zeros from the middle, with an end": CODE[:HALF] + bytes(HALF) + b"\xff\xd9",
    "zeros in the middle": CODE[:HALF] + bytes(512) + CODE[HALF + 512 :],
    "erased flash in the middle": CODE[:HALF] + b"\xff" * 512 + CODE[HALF + 512 :],
    "a block lost": CODE[:HALF] + CODE[HALF + 512 :],
    "a block twice": CODE[: HALF + 512] + CODE[HALF:],
    "another's block": CODE[:HALF] + CODE[1024:1536] + CODE[HALF + 512 :],
    "progressive, cut": PROGRESSIVE[: len(PROGRESSIVE) // 2] + b"\xff\xd9",
    "progressive, without its last scan": PROGRESSIVE[: LAST_SCAN.start] + b"\xff\xd9",
    "progressive, a block lost": PROGRESSIVE[: len(PROGRESSIVE) // 2] + PROGRESSIVE[len(PROGRESSIVE) // 2 + 512 :],
    "more rows": resized(CODE, 256, 160),
    "fewer rows": resized(CODE, 64, 160),
    "more columns": resized(CODE, 128, 320),
    "fewer columns": resized(CODE, 128, 80),
    "progressive, more rows": resized(PROGRESSIVE, 256, 160),
    "progressive, fewer columns": resized(PROGRESSIVE, 128, 80),
    "restarts, one lost": (lambda c: c[: c.index(b"\xff\xd3")] + c[c.index(b"\xff\xd4") :])(WHOLE["restarts"]),
    "no frame header": CODE.replace(b"\xff\xc0", b"\xff\xe7", 1),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_pictures_are_refused(name: str):
    assert refusal(DAMAGED[name]) in ("truncated", "decode_failed")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("cut", "truncated"),
        ("cut, with an end", "truncated"),
        ("progressive, without its last scan", "truncated"),
        ("zeros in the middle", "decode_failed"),
        ("more rows", "truncated"),
        ("fewer rows", "decode_failed"),
    ],
)
def test_codes(name: str, code: str):
    assert refusal(DAMAGED[name]) == code


@pytest.mark.parametrize("header", [b"\xff\xc0\0\x0b\x0c", b"\xff\xc5\0\x0b\x08"])
def test_12_bits_and_rare_kinds_are_refused_by_name(header: bytes):
    assert refusal(CODE.replace(b"\xff\xc0\0\x0b\x08", header, 1)) == "unsupported"


def test_what_only_departs_from_the_standard_is_read_with_a_warning():
    scan = parts_of(CODE)[-2]
    odd = CODE[: scan.end - 2] + b"\0" + CODE[scan.end - 1 :]  # an end of frequencies that libjpeg warns of
    assert scan.marker == SCAN and check_jpeg(odd) == (
        "the JPEG departs from its standard, so that damage could not be looked for",
    )
