# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import config

from monai_anomaly.data.dicom.identity import find_year
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.identity import KEY_VARIABLE, keyed_hash
from tests.helpers.dicom_files import make_dataset, read, save

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 56), dtype=np.uint8)
KEY = b"0123456789abcdef"


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "site.key"
    path.write_bytes(KEY)
    monkeypatch.setenv(KEY_VARIABLE, str(path))
    return path


def test_hashes_of_the_texts(tmp_path: Path, key_file: Path):
    dataset = make_dataset(PICTURE, PatientID="ZZ17 ", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.4")
    _, meta = read(save(tmp_path / "a.dcm", dataset))
    assert meta["identifiers"] == {
        "instance": keyed_hash(dataset.SOPInstanceUID, KEY, "instance"),
        "series": keyed_hash("1.2.4", KEY, "series"),
        "study": keyed_hash("1.2.3", KEY, "study"),
        "patient": keyed_hash("ZZ17", KEY, "patient"),
    }


def test_issuer_tells_equal_numbers_apart(tmp_path: Path, key_file: Path):
    found = []
    for issuer in (None, "A", "B"):
        dataset = make_dataset(PICTURE, PatientID="17", **({"IssuerOfPatientID": issuer} if issuer else {}))
        found.append(read(save(tmp_path / "a.dcm", dataset))[1]["identifiers"]["patient"])
    assert len(set(found)) == 3


def test_absent_ones_are_left_out(tmp_path: Path, key_file: Path):
    _, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, PatientID="")))
    assert set(meta["identifiers"]) == {"instance", "series", "study"}


def test_paths_in_place_of_a_uid(tmp_path: Path, key_file: Path):
    _, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, StudyInstanceUID="../../evil", PatientID="17")))
    assert set(meta["identifiers"]) == {"instance", "series", "patient"}
    assert "(0020,000D) Study Instance UID" in meta["warnings"][0] and "evil" not in str(meta)


def test_a_missing_key_is_not_the_file_s_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "nowhere"))
    path = save(tmp_path / "a.dcm", make_dataset(PICTURE))
    with pytest.raises(ConfigError, match="key file"):
        read(path)
    with pytest.raises(ConfigError, match="key file"):
        list(ClinicalImageReader().read_frames(path))


def test_a_device_is_what_its_header_says_of_it(tmp_path: Path, key_file: Path):
    found = []
    for more in (
        {},
        {"StationName": "US2"},
        {"ManufacturerModelName": "US2"},
        {"Manufacturer": "GE", "StationName": "US2"},
    ):
        _, meta = read(save(tmp_path / "a.dcm", make_dataset(PICTURE, **more)))
        found.append(meta["identifiers"].get("device"))
    assert found[0] is None and len(set(found)) == 4
    assert found[3] == keyed_hash("GE\\\\\\US2", KEY, "device")


@pytest.mark.parametrize(
    ("dates", "year"),
    [
        ({}, 0),
        ({"StudyDate": "20190703"}, 2019),
        ({"StudyDate": "20190703", "AcquisitionDate": "20240101"}, 2024),
        ({"StudyDate": "2019", "ContentDate": ""}, 2019),
        ({"StudyDate": "201"}, 0),
        ({"StudyDate": "none"}, 0),
    ],
)
def test_of_a_date_the_year_alone_is_told(tmp_path: Path, dates: dict[str, str], year: int):
    dataset = make_dataset(PICTURE)
    for keyword in ("StudyDate", "AcquisitionDate", "ContentDate"):
        if keyword in dataset:
            delattr(dataset, keyword)
    with config.disable_value_validation():
        for keyword, date in dates.items():
            setattr(dataset, keyword, date)
        assert find_year(dataset) == year
        _, meta = read(save(tmp_path / "a.dcm", dataset))
    assert meta["year"] == year and "0703" not in str(meta)
