# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import generate_frames

from monai_anomaly.data import jpeg_work
from monai_anomaly.data.dicom.codestreams import work
from monai_anomaly.data.dicom.codestreams.jpeg2000 import check_jpeg2000, find_jpeg2000
from monai_anomaly.data.dicom.codestreams.work import check_work
from monai_anomaly.data.errors import ImageReadError
from tests.helpers.dicom_files import bundled
from tests.helpers.pictures import encode, make_gray

STREAMS = ("JPEG2000.dcm", "693_J2KI.dcm", "examples_jpeg2k.dcm", "GDCMJ2K_TextGBR.dcm", "SC_rgb_gdcm_KY.dcm")
SIZE, STYLE = 8, 4


def stream(name: str) -> bytearray:
    dataset = dcmread(bundled(name))
    return bytearray(next(generate_frames(dataset.PixelData, number_of_frames=1)))


def codestream() -> bytearray:
    code = stream("examples_jpeg2k.dcm")
    return code[code.index(b"\xff\x4f\xff\x51") :]


@pytest.mark.parametrize("name", [*STREAMS, "SC_rgb_jpeg_gdcm.dcm", "MR_small_jpeg_ls_lossless.dcm", "JPGExtended.dcm"])
def test_real_frames_pass(name):
    check_work(bytes(stream(name)))


def refuse(code: bytes | bytearray, what: str) -> None:
    with pytest.raises(ImageReadError, match=f"budget: the JPEG 2000 has more {what} than its size needs"):
        check_work(bytes(code))


def test_tiles():
    code = codestream()
    code[24:32] = struct.pack(">2I", 1, 1)
    refuse(code, "tiles")
    refuse(b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x08free" + code, "tiles")  # behind boxes


@pytest.mark.parametrize("marker", [b"\xff\x52", b"\xff\x53"])
def test_layers_and_precincts(marker):
    code = codestream()
    at = code.index(b"\xff\x52")
    code[at + 6 : at + 8] = b"\xff\xff"
    levels = code[at + 9]
    one = bytes([1, *code[at + 5 : at + 9], *code[at + 9 : at + 14], *[0] * (levels + 1)])  # precincts of 1 x 1
    if marker == b"\xff\x53":
        one = b"\0\1" + one[5:]
    code[at:at] = marker + struct.pack(">H", 2 + len(one)) + one
    refuse(code, "packets")


def test_blocks():
    code = codestream()
    code[8:16], code[24:32] = struct.pack(">2I", 8000, 8000), struct.pack(">2I", 8000, 8000)
    at = code.index(b"\xff\x52")
    code[at + 10 : at + 12] = b"\0\0"  # of 4 x 4
    refuse(code, "blocks")


def test_styles_of_tiles_count(monkeypatch):
    code = codestream()
    at, tile = code.index(b"\xff\x52"), code.index(b"\xff\x90")
    style = bytearray(code[at : at + 2 + struct.unpack_from(">H", code, at + 2)[0]])
    style[6:8] = b"\xff\xff"
    code[tile + 12 : tile + 12] = style
    monkeypatch.setattr(work, "MAX_PACKETS", 2**17)
    refuse(code, "packets")


def test_segments_end(monkeypatch):
    code = codestream()
    at = code.index(b"\xff\x52")
    code[at:at] = b"\xff\x64\0\2" * 1000
    monkeypatch.setattr(work, "MAX_SEGMENTS", 500)
    refuse(code, "marker segments")


@pytest.mark.parametrize("end", [41, 60, 100])
def test_what_is_cut_off_is_left_to_others(end):
    check_work(bytes(codestream()[:end]))


def test_boxes_and_segments_ahead_of_a_picture_end():
    start = b"\0\0\0\x0cjP  \r\n\x87\n"
    assert find_jpeg2000(start + b"\0\0\0\x08free" * 500 + b"\0\0\0\0jp2c" + codestream()) == 12 + 501 * 8
    assert find_jpeg2000(start + b"\0\0\0\x08free" * 2000 + b"\0\0\0\0jp2c" + codestream()) is None
    code = codestream()
    at = code.index(b"\xff\x52")
    code[at:at] = b"\xff\x64\0\2" * 100_001
    with pytest.raises(ImageReadError, match="budget: the JPEG 2000 has more than 100000 marker segments"):
        check_jpeg2000(bytes(code))


def test_scans_of_a_jpeg_are_paid_by_its_size(monkeypatch):
    code = encode(make_gray(), "JPEG", progressive=True)
    scans = code.count(b"\xff\xda")
    assert scans > 3
    check_work(code)
    monkeypatch.setattr(jpeg_work, "MAX_WORK", 64 * 80 * scans - 1)
    with pytest.raises(ImageReadError, match=f"budget: the JPEG has {scans} scans, too many for its size"):
        check_work(code)


def test_a_jpeg_of_the_largest_frame_may_have_sixteen_scans():
    assert jpeg_work.MAX_WORK == 16 * 64 * 2**20


def test_a_cut_jpeg_is_left_to_others():
    stream = io.BytesIO()
    Image.new("L", (64, 64)).save(stream, "JPEG")
    check_work(stream.getvalue()[:-40])
    assert Path(bundled("JPEG2000.dcm")).exists()
