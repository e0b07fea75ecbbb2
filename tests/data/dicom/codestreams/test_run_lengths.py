# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import struct

import numpy as np
import pytest

from monai_anomaly.data.dicom.codestreams.run_lengths import fill_planes, find_segments
from tests.helpers.codestreams import encode_run_lengths
from tests.helpers.pictures import make_gray


def frame(runs: bytes) -> bytes:
    return struct.pack("<16I", 1, 64, *[0] * 14) + runs


@pytest.mark.parametrize(
    "pixels", [make_gray(33, 51), make_gray(16, 16).astype(np.uint16) * 100, np.zeros((8, 200), "u1")]
)
def test_what_an_encoder_wrote_fits(pixels: np.ndarray):
    code = encode_run_lengths(pixels)
    segments = find_segments(code, planes=pixels.dtype.itemsize, rows=pixels.shape[0], columns=pixels.shape[1])
    assert len(segments) == pixels.dtype.itemsize
    for padding in (b"", b"\0", b"\0\0", b"\0" * 6):
        assert fill_planes(code + padding, [*segments[:-1], (segments[-1][0], len(code + padding))], pixels.size)


@pytest.mark.parametrize(
    ("runs", "fits"),
    [
        (b"\xfd\7\3abcd", True),  # four times 7, and four as they are
        (b"\x80\xfd\7\x80\3abcd\x80", True),  # 128 stands for nothing
        (b"\xfd\7\3abcd\0", True),
        (b"\xfd\7\2abc", False),
        (b"\xfd\7\3abc", False),
        (b"\xfd\7", False),
        (b"", False),
        (b"\xfd\7\4abcde", True),  # an encoder's odd byte
        (b"\xfd\7\3abcd\xfd\7\xfd\7", False),
        (b"\xf0\7", False),
    ],
)
def test_runs_of_eight_pixels(runs: bytes, fits: bool):
    code = frame(runs)
    assert fill_planes(code, [(64, len(code))], 8) == fits


def test_segments_that_cannot_be():
    code = frame(b"\xfd\7\3abcd")
    assert find_segments(code, planes=1, rows=2, columns=4) == [(64, len(code))]
    for other in (code[:60], code[:4] + b"\x41" + code[5:], b"\2" + code[1:], code + bytes(100)):
        assert find_segments(other, planes=1, rows=2, columns=4) == []
