# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import examples
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, pixel_array

from monai_anomaly.data.dicom.lut import _check_segments
from tests.helpers.dicom_files import make_dataset, read, refusal, save

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (40, 56), dtype=np.uint8)
DEEP = RNG.integers(0, 4096, (40, 56), dtype=np.uint16)


def make_item(table: np.ndarray, bits: int, first: int = 0) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US" if first >= 0 else "SS", [len(table), first, bits])
    item.add_new("LUTData", "US", table.tolist())
    return item


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("keyword", ["VOILUTSequence", "ModalityLUTSequence"])
def test_table_by_hand(tmp_path: Path, bits: int, keyword: str):
    table = RNG.integers(0, 2**bits, 4096)  # with 8 bits an index is wider than an entry
    dataset = make_dataset(DEEP, BitsStored=12, HighBit=11, **{keyword: [make_item(table, bits)]})
    image, meta = read(save(tmp_path / "a.dcm", dataset))
    np.testing.assert_allclose(image[0], table[DEEP] / (2**bits - 1), atol=1e-6)
    assert meta["voi"] == (keyword == "VOILUTSequence") and meta["warnings"] == []


def test_table_takes_its_ends_for_what_lies_outside(tmp_path: Path):
    table = np.arange(100, 200)
    dataset = make_dataset(PICTURE, VOILUTSequence=[make_item(table, 8, first=50)], WindowCenter=1, WindowWidth=9)
    image, _ = read(save(tmp_path / "a.dcm", dataset))  # the table outranks the window
    np.testing.assert_allclose(image[0], table[np.clip(PICTURE.astype(int) - 50, 0, 99)] / 255, atol=1e-6)


def test_voi_table_of_rescaled_values(tmp_path: Path):
    table = RNG.integers(0, 2**12, 300)
    rescale = {"RescaleSlope": 1, "RescaleIntercept": -128}
    dataset = make_dataset(PICTURE, VOILUTSequence=[make_item(table, 12, first=-128)], **rescale)
    image, _ = read(save(tmp_path / "a.dcm", dataset))
    np.testing.assert_allclose(image[0], table[PICTURE] / 4095, atol=1e-6)


def test_modality_table_then_window(tmp_path: Path):
    table = RNG.integers(0, 2**12, 256)
    dataset = make_dataset(PICTURE, ModalityLUTSequence=[make_item(table, 12)], WindowCenter=2000, WindowWidth=1001)
    image, _ = read(save(tmp_path / "a.dcm", dataset))
    np.testing.assert_allclose(image[0], np.clip((table[PICTURE] - 1999.5) / 1000 + 0.5, 0, 1), atol=1e-6)


@pytest.mark.parametrize("keyword", ["VOILUTSequence", "ModalityLUTSequence"])
def test_negative_first_input_as_an_unsigned_word(tmp_path: Path, keyword: str):
    stored = (np.arange(64).reshape(8, 8) - 32).astype(np.int16)
    item = make_item(np.arange(64) * 4, 8, first=0x10000 - 32)
    image, meta = read(save(tmp_path / "a.dcm", make_dataset(stored, **{keyword: [item]})))
    np.testing.assert_allclose(image[0] * 255, (stored + 32) * 4, atol=1e-4)
    assert meta["warnings"] == []


def test_table_beside_all_values(tmp_path: Path):
    item = make_item(np.arange(64) * 4, 8, first=300)
    image, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, VOILUTSequence=[item])))
    np.testing.assert_allclose(image[0], PICTURE / 255, atol=1e-6)
    assert not meta["voi"] and "(0028,3010) VOI LUT Sequence" in meta["warnings"][0]
    error = refusal(save(tmp_path / "b.dcm", make_dataset(PICTURE, ModalityLUTSequence=[item])))
    assert error.code == "inconsistent"


def test_malformed_modality_table_is_refused(tmp_path: Path):
    error = refusal(save(tmp_path / "a.dcm", make_dataset(PICTURE, ModalityLUTSequence=[Dataset()])))
    assert error.code == "inconsistent" and "(0028,3000) Modality LUT Sequence" in error.message


def make_palette(stored: np.ndarray, tables: list[bytes], descriptor: list[int], prefix: str = "") -> Dataset:
    dataset = make_dataset(stored, "PALETTE COLOR")
    for color, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        name = f"{color}PaletteColorLookupTable"
        vr = "SS" if min(descriptor) < 0 else "US"
        dataset.add_new(f"{name}Descriptor", vr, descriptor)
        dataset.add_new(f"{prefix}{name}Data", "OW", table)
    return dataset


def test_wide_palette_of_eight_bits(tmp_path: Path):
    tables = [RNG.integers(0, 256, 4096, dtype=np.uint8) for _ in range(3)]
    dataset = make_palette(DEEP, [table.tobytes() for table in tables], [4096, 0, 8])
    image, _ = read(save(tmp_path / "a.dcm", dataset))  # pydicom's index wraps at 256
    np.testing.assert_allclose(image, np.stack([table[DEEP] for table in tables]) / 255, atol=1e-6)


def test_eight_bits_in_words(tmp_path: Path):
    tables = [RNG.integers(0, 256, 256, dtype=np.uint16) for _ in range(3)]
    dataset = make_palette(PICTURE, [table.tobytes() for table in tables], [256, 0, 8])
    image, _ = read(save(tmp_path / "a.dcm", dataset))
    np.testing.assert_allclose(image, np.stack([table[PICTURE] for table in tables]) / 255, atol=1e-6)


def test_signed_indices(tmp_path: Path):
    stored = (PICTURE.astype(np.int16) - 128).astype(np.int8)
    tables = [RNG.integers(0, 2**16, 256, dtype=np.uint16) for _ in range(3)]
    dataset = make_palette(stored, [table.tobytes() for table in tables], [256, -128, 16])
    image, _ = read(save(tmp_path / "a.dcm", dataset))
    np.testing.assert_allclose(image, np.stack([table[PICTURE] for table in tables]) / 65535, atol=1e-6)


def test_segmented_palette_by_hand(tmp_path: Path):
    # PS3.3 C.7.9.2: 100 times 7, then a line of 156 steps up to 7 + 156 * 256
    segments = np.array([0, 1, 7, 1, 99, 7, 1, 156, 7 + 156 * 256], np.uint16)
    expected = np.concatenate([np.full(100, 7), 7 + 256 * np.arange(1, 157)])
    dataset = make_palette(PICTURE, [segments.tobytes()] * 3, [256, 0, 16], "Segmented")
    image, _ = read(save(tmp_path / "a.dcm", dataset))
    np.testing.assert_allclose(image, np.stack([expected[PICTURE]] * 3) / 65535, atol=1e-6)


def test_real_palette_equals_pydicom():
    dataset = examples.palette_color
    expected = apply_color_lut(pixel_array(dataset), dataset).transpose(2, 0, 1) / 65535
    np.testing.assert_allclose(read(examples.get_path("palette_color"))[0], expected, atol=1e-6)


@pytest.mark.parametrize("missing", ["RedPaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableData"])
def test_missing_palette_is_named(tmp_path: Path, missing: str):
    dataset = make_palette(PICTURE, [bytes(512)] * 3, [256, 0, 16])
    delattr(dataset, missing)
    error = refusal(save(tmp_path / "a.dcm", dataset))
    assert error.code == "missing_tag" and "Palette Color Lookup Table" in error.message


def test_short_palette_is_refused(tmp_path: Path):
    error = refusal(save(tmp_path / "a.dcm", make_palette(PICTURE, [bytes(100)] * 3, [256, 0, 16])))
    assert error.code == "inconsistent" and "(0028,1101)" in error.message


def to_words(entries: np.ndarray) -> bytes:
    return entries.astype("<u2").tobytes()


def test_dark_channel_of_a_wide_palette(tmp_path: Path):
    full, dark = np.arange(256) * 257, np.full(256, 200)
    image, _ = read(
        save(tmp_path / "a.dcm", make_palette(PICTURE, [to_words(x) for x in (full, dark, full)], [256, 0, 8]))
    )
    np.testing.assert_allclose(image, np.stack([full, dark, full])[:, PICTURE] / 65535, atol=1e-6)


def test_segmented_palette_of_signed_indices(tmp_path: Path):
    stored = PICTURE.view(np.int8)
    entries = np.arange(50) * 1000
    segment = np.concatenate([[0, 50], entries])  # one discrete segment
    dataset = make_palette(stored, [to_words(segment)] * 3, [50, 0x10000 - 20, 16], prefix="Segmented")
    image, _ = read(save(tmp_path / "a.dcm", dataset))
    expected = entries[np.clip(stored.astype(int) + 20, 0, 49)] / 65535
    np.testing.assert_allclose(image, [expected] * 3, atol=1e-6)


def test_thirty_two_bit_indices(tmp_path: Path):
    entries = RNG.integers(0, 2**16, 256)
    dataset = make_palette(PICTURE.astype(np.uint32), [to_words(entries)] * 3, [256, 0, 16])
    np.testing.assert_allclose(read(save(tmp_path / "a.dcm", dataset))[0][0], entries[PICTURE] / 65535, atol=1e-6)


@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize(
    ("words", "ends"),
    [
        ([0, 3, 1, 2, 3, 1, 4, 9], True),
        ([0, 1, 7, 2, 1, 0, 0], True),  # what is at the start once more
        ([0, 1, 7, 2, 1, 3, 0], False),  # repeats what repeats
        ([0, 1, 7, *[1, 60000, 7] * 2], False),
        ([0, 1, 7, 2, 60000, 0, 0], False),
        ([0, 0] * 70_000, False),
    ],
)
def test_segments_of_a_palette_end(words, ends, little):
    data = np.array(words, "<u2" if little else ">u2").tobytes()
    if ends:
        _check_segments(data, 16, little)
        return
    with pytest.raises(ValueError):
        _check_segments(data, 16, little)
