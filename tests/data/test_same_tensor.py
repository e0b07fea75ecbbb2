# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""One picture is one tensor, whatever the format, the packages installed and the environment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom import examples
from pydicom.data import get_testdata_file

from monai_anomaly.data.image_reader import ClinicalImageReader
from tests.helpers.dicom_files import make_dataset, save
from tests.helpers.image_hashes import hash_all
from tests.helpers.repository import ROOT

RNG = np.random.default_rng(0)
GRAY8 = RNG.integers(0, 256, (40, 56), dtype=np.uint8)
GRAY16 = RNG.integers(0, 65536, (40, 56), dtype=np.uint16)
RGB8 = RNG.integers(0, 256, (40, 56, 3), dtype=np.uint8)
PICTURES = {"gray8": GRAY8, "gray16": GRAY16, "rgb8": RGB8}


def write_raster(path: Path, picture: np.ndarray) -> None:
    Image.fromarray(picture).save(path)


def write_dicom(path: Path, picture: np.ndarray) -> None:
    save(path, make_dataset(picture, "RGB" if picture.ndim == 3 else "MONOCHROME2"))


def write_inverted(path: Path, picture: np.ndarray) -> None:
    save(path, make_dataset(np.iinfo(picture.dtype).max - picture, "MONOCHROME1"))


def write_nifti(path: Path, picture: np.ndarray) -> None:
    stored = picture.T
    if picture.ndim == 3:
        stored = np.zeros(picture.shape[1::-1], np.dtype([(name, "u1") for name in "RGB"]))
        for name, plane in zip("RGB", picture.transpose(2, 1, 0), strict=True):
            stored[name] = plane
    nib.save(nib.Nifti1Image(stored, np.eye(4)), path)


def write_itk(path: Path, picture: np.ndarray, compression: bool = False) -> None:
    import itk

    itk.imwrite(itk.image_from_array(picture, is_vector=picture.ndim == 3), str(path), compression=compression)


def write_itk_packed(path: Path, picture: np.ndarray) -> None:
    write_itk(path, picture, True)


ALL = ("gray8", "gray16", "rgb8")
FORMATS = {
    "png": ("a.png", write_raster, ALL),
    "bmp": ("a.bmp", write_raster, ("gray8", "rgb8")),
    "tiff": ("a.tif", write_raster, ALL),
    "dicom": ("a.dcm", write_dicom, ALL),
    "monochrome1": ("b.dcm", write_inverted, ("gray8", "gray16")),
    "nifti": ("a.nii", write_nifti, ALL),
    "packed nifti": ("a.nii.gz", write_nifti, ALL),
    "nrrd": ("a.nrrd", write_itk, ALL),
    "packed nrrd": ("b.nrrd", write_itk_packed, ALL),
    "mha": ("a.mha", write_itk, ALL),
    "packed mha": ("b.mha", write_itk_packed, ALL),
    "mhd": ("a.mhd", write_itk, ALL),
    "packed mhd": ("b.mhd", write_itk_packed, ALL),
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, (*_, names) in FORMATS.items() for name in names])
def test_one_picture_in_every_format(tmp_path: Path, kind: str, name: str):
    file, write, _ = FORMATS[kind]
    picture = PICTURES[name]
    write(tmp_path / file, picture)
    reader = ClinicalImageReader(channels=None)
    image, meta = reader.get_data(reader.read(tmp_path / file))
    nominal = np.float32(np.iinfo(picture.dtype).max)
    expected = np.atleast_3d(picture).transpose(2, 0, 1).astype(np.float32) / nominal
    assert image.dtype == np.float32 and meta["warnings"] == []
    if kind == "monochrome1":  # the inversion rounds once more
        np.testing.assert_allclose(image, expected, rtol=0, atol=2**-23)
    elif kind == "dicom":
        np.testing.assert_allclose(image, expected, rtol=0, atol=0 if name != "gray16" else 2**-23)
    else:
        np.testing.assert_array_equal(image, expected)


# --- whatever is installed -------------------------------------------------------------------------------------------

SCRIPT = """
import json, sys
sys.modules["itk"] = None
sys.path.insert(0, sys.argv[1])
from tests.helpers.image_hashes import hash_all
print(json.dumps(hash_all(json.loads(sys.argv[2]))))
"""


def make_files(folder: Path) -> list[tuple[str, str, int | None, int | None]]:
    """Return name, path, frame and axis of frames of one file of every kind that does not need ITK."""
    Image.fromarray(GRAY8).save(folder / "a.png")
    write_dicom(folder / "a.dcm", RGB8)
    nib.save(nib.Nifti1Image(RNG.integers(0, 256, (56, 40, 1, 3), dtype=np.uint8), np.eye(4)), folder / "a.nii.gz")
    radiograph = get_testdata_file("dicomdirtests/77654033/CR1/6154", download=False)
    return [
        ("png", str(folder / "a.png"), None, None),
        ("dicom", str(folder / "a.dcm"), None, None),
        ("nifti", str(folder / "a.nii.gz"), 1, 3),
        ("radiograph", str(radiograph), None, None),
        ("cine", str(examples.get_path("ybr_color")), 7, None),
        ("palette", str(examples.get_path("palette_color")), None, None),
    ]


def test_packages_and_environment_change_no_bit(tmp_path: Path, monkeypatch):
    import itk

    files = make_files(tmp_path)
    monkeypatch.setenv("MONAI_DICOM_READER", "itk")  # for the fresh process: set before MONAI is imported
    root = str(ROOT)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, root, json.dumps(files)], stdout=subprocess.PIPE, text=True
    )
    itk.ImageFileReader, itk.GDCMImageIO  # noqa: B018 - here ITK is there, with its DICOM reader
    expected = hash_all(files)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and json.loads(output.splitlines()[-1]) == expected
    assert len(set(expected.values())) == len(files)
