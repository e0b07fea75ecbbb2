# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from monai_anomaly.data.dicom import bounds, pixel_element
from monai_anomaly.data.dicom.names import read_names
from monai_anomaly.data.errors import ImageReadError
from tests.helpers.dicom_files import bundled, make_dataset, read, refusal, save

PICTURE = np.arange(40 * 56, dtype=np.uint8).reshape(40, 56)
PIXELS = b"\xe0\x7f\x10\0"
UNDEFINED = 0xFFFFFFFF
REGIONS, WINDOW, PRIVATE = (0x18, 0x6011), (0x28, 0x1050), (0x9, 0x1010)


def element(tag: tuple[int, int], kind: bytes, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HH2sHI", *tag, kind, 0, len(value) if length is None else length) + value


def insert(path: Path, part: bytes, before: bytes = PIXELS) -> Path:
    """Put bytes ahead of an element of a file."""
    content = path.read_bytes()
    at = content.rindex(before)
    path.write_bytes(content[:at] + part + content[at:])
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(save(tmp_path / "a.dcm", make_dataset(PICTURE)))


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(bounds, "MAX_ELEMENTS", 1000)


@pytest.mark.parametrize(
    "part", [bytes(100_000), element(PRIVATE, b"UN", b"") * 2000, struct.pack("<HH2sH", *PRIVATE, b"US", 0) * 2000]
)
@pytest.mark.parametrize("before", [PIXELS, b"\x08\0\x16\0UI"])
def test_a_header_of_too_many_elements_is_refused(path, few, part, before):
    error = refusal(insert(path, part, before))
    assert (error.code, "more than 1000 elements, or is followed by zeros" in error.message) == ("budget", True)
    with pytest.raises(ImageReadError, match="budget: the header has more than 1000 elements"):
        read_names(path)


def test_a_header_of_too_many_bytes_is_refused(path, monkeypatch):
    monkeypatch.setattr(bounds, "MAX_BYTES", 50_000)
    assert refusal(insert(path, element(PRIVATE, b"OB", bytes(60_000)))).message.startswith("the header is longer than")


@pytest.mark.parametrize("length", [UNDEFINED, None])
def test_items_of_a_sequence_are_counted_too(path, few, length):
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 3000
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) if length else b""
    assert refusal(insert(path, element(REGIONS, b"SQ", items, length) + end)).code == "budget"


def test_sequences_that_nobody_looks_into_cost_nothing(path, few):
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 3000
    assert read(insert(path, element(PRIVATE, b"SQ", items)))[0].shape[1:] == PICTURE.shape


def test_sequences_in_sequences_end(path):
    inside = b""
    for _ in range(bounds.MAX_DEPTH + 2):
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside
        inside = element(REGIONS, b"SQ", item)
    error = refusal(insert(path, inside))
    assert (error.code, "nests more than 32 sequences" in error.message) == ("budget", True)


def test_sequences_without_a_length_end_too(path):
    level = element(REGIONS, b"SQ", b"", UNDEFINED) + struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED)
    error = refusal(insert(path, level * 5000))
    assert error.code in ("budget", "decode_failed")  # as pydicom hides where it ended, or not


@pytest.mark.parametrize("tag", [WINDOW, (0x28, 0x3002), (0x20, 0xD)])
def test_numbers_and_texts_have_a_length(path, tag):
    error = refusal(insert(path, element(tag, b"UN", b"1\\" * 50_000)))
    assert (error.code, f"({tag[0]:04X},{tag[1]:04X}) is longer than its type can be" in error.message) == (
        "budget",
        True,
    )


def test_the_same_without_types(tmp_path):
    dataset = make_dataset(PICTURE)
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    path = Path(save(tmp_path / "a.dcm", dataset))
    value = b"1\\" * 50_000
    assert refusal(insert(path, struct.pack("<HHI", *WINDOW, len(value)) + value)).code == "budget"


def test_what_may_be_long_is_read(path):
    overlay = element((0x6000, 0x3000), b"OW", bytes(200_000))
    private = element(PRIVATE, b"UN", bytes(200_000))
    assert read(insert(path, overlay + private))[0].shape[1:] == PICTURE.shape


def test_groups_of_two_thousand_frames_are_within_the_bounds(tmp_path):
    dataset = make_dataset(np.zeros((2000, 8, 8), np.uint8))
    parts = []
    for number in range(2000):
        holder = Dataset()
        for sequence in ("FrameVOILUTSequence", "PixelMeasuresSequence", "FrameContentSequence"):
            item = Dataset()
            item.WindowCenter, item.WindowWidth, item.PixelSpacing = str(number), "10", [1, 1]
            setattr(holder, sequence, [item])
        parts.append(holder)
    dataset.PerFrameFunctionalGroupsSequence = parts
    assert read(save(tmp_path / "a.dcm", dataset))[0].shape == (1, 8, 8)


def test_fragments_are_counted(tmp_path, monkeypatch):
    path = tmp_path / "a.dcm"
    content = Path(bundled("MR_small_RLE.dcm")).read_bytes()
    at = content.rindex(PIXELS) + 12
    path.write_bytes(content[:at] + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 2000 + content[at:])
    monkeypatch.setattr(pixel_element, "MAX_FRAGMENTS", 1000)
    error = refusal(path)
    assert (error.code, "more than 1000 fragments" in error.message) == ("budget", True)
