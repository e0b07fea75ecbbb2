# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import itk
import nibabel as nib
import numpy as np
import pytest
import tifffile
from PIL import Image

from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.data.memory_source import memory_source
from monai_anomaly.data.pixel_values import small_range
from tests.helpers.dicom_files import make_dataset, save

TWELVE = np.random.default_rng(0).integers(0, 4096, (40, 56), dtype=np.uint16)
SAID = "uses a small part of its range"
READER = ClinicalImageReader()


def significant(path: Path, bits: int) -> Path:
    """Put the chunk sBIT behind the header of a PNG."""
    content = path.read_bytes()
    body = b"sBIT" + bytes([bits])
    chunk = struct.pack(">I", 1) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(content[:33] + chunk + content[33:])
    return path


def write(folder: Path, name: str, values: np.ndarray) -> Path:
    path = folder / name
    if name.endswith(".dcm"):
        return save(path, make_dataset(values, BitsStored=16, HighBit=15, BitsAllocated=16))
    if name.endswith(".tif"):
        tifffile.imwrite(path, values, photometric="miniswhite" if "white" in name else "minisblack")
    elif name.endswith(".png"):
        Image.fromarray(values).save(path)
    elif name.endswith(".nii.gz"):
        nib.save(nib.Nifti1Image(values.T, np.eye(4)), path)
    else:
        itk.imwrite(itk.image_from_array(values), str(path))
    return path


FORMATS = ["a.dcm", "a.tif", "white.tif", "a.png", "a.nii.gz", "a.nrrd", "a.mha"]


@pytest.mark.parametrize("name", FORMATS)
def test_twelve_bits_in_sixteen_are_said_of_every_format(tmp_path: Path, name: str):
    _, meta = READER.get_data(READER.read(write(tmp_path, name, TWELVE)))
    assert len(meta["warnings"]) == 1 and SAID in meta["warnings"][0] and "16 bits" in meta["warnings"][0]


@pytest.mark.parametrize("name", FORMATS)
def test_an_eighth_of_the_range_is_no_small_part(tmp_path: Path, name: str):
    _, meta = READER.get_data(READER.read(write(tmp_path, name, np.where(TWELVE == TWELVE.max(), 8192, TWELVE))))
    assert meta["warnings"] == []


def test_an_array_in_memory_is_no_exception():
    assert SAID in READER.read(memory_source(TWELVE, READER)).warnings[0]
    assert READER.read(memory_source(TWELVE, READER, (0, 4095))).warnings == []
    assert SAID in READER.read(memory_source(Image.fromarray(TWELVE), READER)).warnings[0]


def test_a_png_that_says_how_many_bits_it_uses_is_scaled_by_them(tmp_path: Path):
    image, meta = READER.get_data(READER.read(significant(write(tmp_path, "a.png", TWELVE), 12)))
    np.testing.assert_allclose(image[0], TWELVE / 4095, atol=1e-6)
    assert meta["warnings"] == []


@pytest.mark.parametrize("spread", [lambda v: v << 4, lambda v: v << 4 | v >> 8])
def test_a_png_that_spreads_its_bits_as_the_standard_says_keeps_its_white(tmp_path: Path, spread):
    for values in (TWELVE, TWELVE // 32):  # the latter is dark, below the value of 12 bits, and spread nevertheless
        values = spread(values).astype(np.uint16)
        image, _ = READER.get_data(READER.read(significant(write(tmp_path, "a.png", values), 12)))
        np.testing.assert_allclose(image[0], values / 65535, atol=1e-6)


@pytest.mark.parametrize("bits", [0, 16, 17, 255])
def test_an_sbit_that_makes_no_sense_is_not_used(tmp_path: Path, bits: int):
    image, _ = READER.get_data(READER.read(significant(write(tmp_path, "a.png", TWELVE), bits)))
    np.testing.assert_allclose(image[0], TWELVE / 65535, atol=1e-6)


def test_what_a_window_or_a_mask_decides(tmp_path: Path):
    window = {"WindowCenter": 2048, "WindowWidth": 4096, "BitsStored": 16, "HighBit": 15, "BitsAllocated": 16}
    assert READER.read(save(tmp_path / "w.dcm", make_dataset(TWELVE, **window))).warnings == []
    padded = TWELVE.copy()
    padded[:4] = 65535
    bits = {"BitsStored": 16, "HighBit": 15, "BitsAllocated": 16, "PixelPaddingValue": 65535}
    assert SAID in READER.read(save(tmp_path / "p.dcm", make_dataset(padded, **bits))).warnings[0]


def test_eight_bits_may_be_dark_and_one_value_has_a_warning_of_its_own():
    dark = np.linspace(0, 0.1, 20)
    assert small_range(dark, 8, "") == [] and small_range(np.full(9, 0.05), 16, "") == []
    assert small_range(dark, 12, "cure") and small_range(1 - dark, 12, "cure")
    assert small_range(dark, 12, "", np.zeros(20, bool)) == []
