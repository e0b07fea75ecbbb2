# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from monai_anomaly.data.dicom.names import read_names
from monai_anomaly.data.errors import ImageReadError
from tests.helpers.dicom_files import make_dataset, save


def dicom(path: Path, **elements: str) -> Path:
    save(path, make_dataset(np.zeros((40, 40), np.uint8), **elements))
    return path


def test_names_in_a_header(tmp_path: Path):
    names = read_names(dicom(tmp_path / "a", PatientID="4711 ", StudyInstanceUID="1.2.3", IssuerOfPatientID="KH"))
    assert (names.patient, names.study, names.picture) == ("4711\\KH", "1.2.3", True)
    assert read_names(dicom(tmp_path / "b")).patient == ""
    (tmp_path / "c").write_bytes(b"no DICOM")
    assert read_names(tmp_path / "c") is None


@pytest.mark.parametrize("name", ["image_dfl.dcm", "none"])
def test_headers_that_are_not_read(tmp_path: Path, name):
    with pytest.raises(ImageReadError):
        read_names(Path(get_testdata_file(name, download=False) or tmp_path / name))


def test_a_value_too_long_to_be_an_id_is_not_loaded(tmp_path: Path):
    path = dicom(tmp_path / "a", PatientID="x" * 64, StudyInstanceUID="1.2.3")
    content = path.read_bytes()
    old = b"LO" + struct.pack("<H", 64) + b"x" * 64
    assert old in content
    path.write_bytes(content.replace(old, b"LO" + struct.pack("<H", 60000) + b"x" * 60000))
    names = read_names(path)
    assert (names.patient, names.study) == ("", "1.2.3")


def test_a_changed_file_is_read_again(tmp_path: Path):
    assert read_names(dicom(tmp_path / "a", PatientID="old")).patient == "old"
    assert read_names(dicom(tmp_path / "a", PatientID="another")).patient == "another"
