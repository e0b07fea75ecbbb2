# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Faults of a header that are no reason to lose the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from monai_anomaly.data.dicom.names import read_names
from tests.helpers.dicom_files import CR1, bundled, make_dataset, read, refusal
from tests.helpers.pictures import make_gray

GRAY = make_gray()
UIDS = {
    "SOPClassUID": "(0008,0016) SOP Class UID",
    "SOPInstanceUID": "(0008,0018) SOP Instance UID",
    "StudyInstanceUID": "(0020,000D) Study Instance UID",
    "SeriesInstanceUID": "(0020,000E) Series Instance UID",
}


def write(path: Path, **elements: str | None) -> Path:
    """Write a picture with these elements, None for those that are left out."""
    dataset = make_dataset(GRAY)
    for keyword, value in elements.items():
        delattr(dataset, keyword)
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.preamble = bytes(128)
    dataset.save_as(path, enforce_file_format=False)
    return path


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("value", [None, "", "ANON_0001", "../../evil", "1.2.x"])
@pytest.mark.parametrize("keyword", UIDS)
def test_without_a_uid_the_picture_is_read_with_a_warning(tmp_path: Path, keyword: str, value: str | None):
    image, meta = read(write(tmp_path / "a.dcm", **{keyword: value}))
    np.testing.assert_allclose(image[0], GRAY / 255, atol=1e-6)
    assert len(meta["warnings"]) == 1 and UIDS[keyword] in meta["warnings"][0]
    assert "ANON" not in meta["warnings"][0] and "evil" not in meta["warnings"][0]
    kind = {"SOPInstanceUID": "instance", "StudyInstanceUID": "study", "SeriesInstanceUID": "series"}.get(keyword)
    assert set(meta["identifiers"]) == {"instance", "study", "series"} - {kind}


def test_without_any_uid(tmp_path: Path):
    image, meta = read(write(tmp_path / "a.dcm", **dict.fromkeys(UIDS)))
    assert image.shape == (1, *GRAY.shape) and len(meta["warnings"]) == 4 and meta["identifiers"] == {}


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_bad_study_uid_makes_no_group(tmp_path: Path):
    assert read_names(write(tmp_path / "a.dcm", StudyInstanceUID="ANON")).study == ""
    assert read_names(write(tmp_path / "b.dcm", SOPInstanceUID="ANON_1")).instance == "ANON_1"


def test_the_intent_is_that_of_the_file_where_the_data_set_has_no_class(tmp_path: Path):
    dataset = make_dataset(GRAY)
    dataset.file_meta.MediaStorageSOPClassUID = uid.DigitalXRayImageStorageForProcessing
    del dataset.SOPClassUID
    dataset.preamble = bytes(128)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=False)
    assert refusal(tmp_path / "a.dcm").code == "for_processing"


@pytest.mark.parametrize("cut", [128, 132])
@pytest.mark.parametrize("name", [CR1, "examples_jpeg2k.dcm"])
def test_without_a_preamble_the_picture_is_read_with_a_warning(tmp_path: Path, name: str, cut: int):
    whole = Path(bundled(name))
    path = tmp_path / "cut"
    path.write_bytes(whole.read_bytes()[cut:])
    image, meta = read(path)
    expected, before = read(whole)
    np.testing.assert_array_equal(image, expected)
    assert meta["warnings"] == ["the DICOM file lacks the 128 bytes of its preamble", *before["warnings"]]
    assert meta["identifiers"] == before["identifiers"]
    assert read_names(path) == read_names(whole)  # so that a patient stays in one section
