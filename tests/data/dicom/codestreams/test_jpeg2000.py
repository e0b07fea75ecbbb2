# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import struct

import numpy as np
import pytest
from openjpeg.utils import encode_array

from monai_anomaly.data.dicom.codestreams.codestream import Codestream, read_codestream
from monai_anomaly.data.dicom.codestreams.jpeg2000 import check_jpeg2000, read_sizes
from monai_anomaly.data.errors import ImageReadError
from tests.helpers.codestreams import encode_jpeg2000, encode_jpeg_ls
from tests.helpers.pictures import encode, make_gray

GRAY = make_gray(64, 80)
DEEP = GRAY.astype(np.uint16) * 16


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (encode_jpeg2000(DEEP, 12), Codestream("2000", 64, 80, 1, 12, False, False)),
        (encode_jpeg2000(DEEP.astype(np.int16) - 2048, 12), Codestream("2000", 64, 80, 1, 12, True, False)),
        (encode_jpeg2000(DEEP, 12, compression_ratios=[5]), Codestream("2000", 64, 80, 1, 12, False, True)),
        (encode_jpeg_ls(DEEP, 12), Codestream("LS", 64, 80, 1, 12, None, False)),
        (encode(GRAY, "JPEG"), Codestream("DCT", 64, 80, 1, 8, None, True)),
        (encode(np.stack([GRAY] * 3, -1), "JPEG", progressive=True), Codestream("DCT", 64, 80, 3, 8, None, True)),
        (b"", None),
        (b"\xff\xd8\xff\xd9", None),
    ],
)
def test_what_a_codestream_says(code: bytes, expected: Codestream | None):
    assert read_codestream(code) == expected


def refusal(code: bytes) -> str:
    with pytest.raises(ImageReadError) as caught:
        check_jpeg2000(code)
    return caught.value.code


def test_a_run_of_zeros_is_damage_where_it_is_longer_than_empty_parts_can_be():
    code = encode_jpeg2000(DEEP, 12)
    sizes = read_sizes(code)
    assert sizes is not None and sizes.packets == 6  # a layer, a component, five levels and the smallest picture
    check_jpeg2000(code)
    assert refusal(code[:2000] + bytes(200) + code[2200:]) == "decode_failed"
    layers = code.index(b"\xff\x52") + 6
    many = code[:layers] + struct.pack(">H", 100) + code[layers + 2 :]
    check_jpeg2000(many[:2000] + bytes(200) + many[2200:])  # of 600 empty parts, 200 may stand together


def test_components_that_differ_are_refused():
    code = bytes(encode_array(np.stack([GRAY] * 3, -1), bits_stored=8, photometric_interpretation=1, use_mct=False))
    at = code.index(b"\xff\x51") + 40
    assert code[at - 2 : at + 9] == b"\0\3" + b"\7\1\1" * 3
    check_jpeg2000(code)
    assert refusal(code[: at + 3] + b"\x0b" + code[at + 4 :]) == "unsupported"
    assert refusal(code[: at + 4] + b"\2\2" + code[at + 6 :]) == "unsupported"
