# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import itertools

import numpy as np
import pytest

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.jpeg_stream import END, MAX_SCANS, SCAN, FrameHeader, find_frame_header, walk_jpeg
from tests.helpers.pictures import encode, make_gray

GRAY = make_gray()
COLOR = np.stack([GRAY, GRAY // 2, 255 - GRAY], -1)


def markers(code: bytes) -> list[int]:
    return [part.marker for part in walk_jpeg(code)]


def refusal(code: bytes) -> str:
    with pytest.raises(ImageReadError) as caught:
        markers(code)
    return caught.value.code


def test_parts_follow_each_other_to_the_end_and_no_further():
    code = encode(COLOR, "JPEG", progressive=True, restart_marker_blocks=3)
    parts = list(walk_jpeg(code + encode(GRAY, "JPEG")))
    assert parts[0].start == 2 and parts[-1].end == len(code) and parts[-1].marker == END
    assert all(one.behind == two.start for one, two in itertools.pairwise(parts))
    assert sum(part.marker == SCAN for part in parts) == 10  # of libjpeg's own plan for three colors
    assert code.count(b"\xff\xd0") > 5  # restarts lie within scans


def test_fill_bytes_belong_to_the_marker_behind_them():
    code = encode(GRAY, "JPEG")
    filled = code[:2] + b"\xff" * 3 + code[2:-2] + b"\xff" * 5 + code[-2:]
    assert markers(filled) == markers(code)
    assert find_frame_header(filled) == find_frame_header(code)


@pytest.mark.parametrize("end", [3, 10, 200, -500, -2, -1])
def test_bytes_that_end_before_the_picture(end: int):
    assert refusal(encode(GRAY, "JPEG")[:end]) == "truncated"


def test_no_marker_where_one_must_be():
    code = encode(GRAY, "JPEG")
    assert refusal(code[:2] + b"\0" + code[3:]) == "decode_failed"
    assert refusal(code[:4] + b"\0\1" + code[6:]) == "decode_failed"  # shorter than its own length


def test_scans_and_parts_are_bounded():
    code = encode(GRAY, "JPEG")
    scan = next(part for part in walk_jpeg(code) if part.marker == SCAN)
    several = code[: scan.start] + code[scan.start : scan.behind] * (MAX_SCANS + 1) + code[scan.behind :]
    assert refusal(several) == "budget"
    assert refusal(code[:2] + b"\xff\xe1\0\2" * 10_001 + code[2:]) == "budget"


def test_frame_header():
    code = encode(COLOR, "JPEG", subsampling=2)
    assert find_frame_header(code) == FrameHeader(0xC0, 8, 64, 80, ((1, 2, 2), (2, 1, 1), (3, 1, 1)))
    assert find_frame_header(code[:100]) is None
    assert find_frame_header(code.replace(b"\xff\xc0", b"\xff\xe5")) is None
    assert find_frame_header(b"no JPEG") is None
