# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.data.lists import patients
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.utils.identity import KEY_VARIABLE, keyed_hash
from tests.helpers.data_lists import make_list, make_tree
from tests.helpers.dicom_files import make_dataset, save

PICTURE = np.arange(1600, dtype=np.uint16).astype(np.uint8).reshape(40, 40)
KEY = b"the key of one hospital"


@pytest.fixture(autouse=True)
def site_key(tmp_path_factory, monkeypatch):
    path = tmp_path_factory.mktemp("key") / "key"
    path.write_bytes(KEY)
    monkeypatch.setenv(KEY_VARIABLE, str(path))


def dicom(path: Path, patient: str | None = None, study: str | None = None, **elements) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if patient is not None:
        elements["PatientID"] = patient
    elements["StudyInstanceUID"] = study
    save(path, make_dataset(PICTURE, **elements))
    return path


def groups(root: Path, section: str = "test") -> list[str]:
    return [item["group"] for item in load_datalist(root, section)]


def hashed(text: str) -> str:
    return keyed_hash(text, KEY, "patient")


def test_the_group_is_the_reader_s_patient(tmp_path: Path):
    paths = [dicom(tmp_path / f"test/normal/{p}.dcm", p, "1.2", IssuerOfPatientID="KH") for p in "ab"]
    reader = ClinicalImageReader()
    expected = [reader.read(path).identifiers["patient"] for path in paths]
    assert groups(tmp_path) == expected == [hashed("a\\KH"), hashed("b\\KH")]
    plain = load_datalist(tmp_path, "test", source_names=True)
    assert [item["group"] for item in plain] == expected  # a header's value is hashed in any case


def test_patient_then_folder_then_study_then_file(tmp_path: Path):
    base = tmp_path / "test/normal"
    for number, path in enumerate([base / "a", base / "p1/b", base / "p1/c", base / "d", base / "e", base / "f"]):
        patient, study = [("A", "1"), ("B", "2"), ("", "3"), ("", "4"), (None, None), (None, "4")][number]
        dicom(path, patient, study and f"1.{study}")
    make_tree(tmp_path, "test/normal/p1/g.png", "test/normal/h.png")
    names = [Path(item["image"]).name for item in load_datalist(tmp_path, "test")]
    assert dict(zip(names, groups(tmp_path), strict=True)) == {
        "a": hashed("A"),
        "b": hashed("B"),
        "c": hashed("p1"),
        "d": hashed("1.4"),
        "e": hashed("test/normal/e"),
        "f": hashed("1.4"),
        "g.png": hashed("p1"),
        "h.png": hashed("test/normal/h.png"),
    }


def test_a_patient_in_two_sections_is_a_leak(tmp_path: Path):
    dicom(tmp_path / "train/normal/x/a.dcm", "A", "1.1")
    dicom(tmp_path / "train/normal/x/b.dcm", "B", "1.2")
    dicom(tmp_path / "test/normal/y/c.dcm", "A", "1.3")
    for section in ("training", "test"):
        with pytest.raises(DataListError, match="is in training and in test") as caught:
            load_datalist(tmp_path, section)
        assert hashed("A") in str(caught.value)


def test_folders_of_one_name_are_no_leak_where_the_headers_know_better(tmp_path: Path):
    for n, split in enumerate(("train", "test")):
        dicom(tmp_path / f"{split}/normal/images/a.dcm", f"P{n}")
    assert groups(tmp_path) == [hashed("P1")]


@pytest.mark.parametrize("own", [False, True])
def test_a_leak_in_a_list_and_its_own_groups(tmp_path: Path, own):
    dicom(tmp_path / "a", "A")
    dicom(tmp_path / "b", "A")
    dicom(tmp_path / "c", "C")
    more = ({"group": "x"}, {"group": "y"}) if own else ({}, {})
    make_list(
        tmp_path,
        training=[{"image": "./a", **more[0]}],
        test=[{"image": "./b", "label": 0, **more[1]}, {"image": "./c", "label": 0}],
    )
    if own:
        assert groups(tmp_path) == [hashed("y"), hashed("C")]
    else:
        with pytest.raises(DataListError, match=r"training\[0\] of dataset.json .* and test\[0\] of dataset.json"):
            load_datalist(tmp_path, "test")


def test_one_patient_id_for_all_tells_nothing(tmp_path: Path, caplog):
    dicom(tmp_path / "train/normal/a", "anonymous", "1.1")
    dicom(tmp_path / "train/normal/b", "anonymous", "1.1")
    dicom(tmp_path / "test/normal/c", "anonymous", "1.2")
    with caplog.at_level(logging.WARNING):
        assert groups(tmp_path) == [hashed("1.2")]
    assert "All 3 DICOM files have one and the same (0010,0020) Patient ID" in caplog.text
    assert "anonymous" not in caplog.text


def test_one_study_for_all_tells_nothing_either(tmp_path: Path, caplog):
    for split, name in (("train", "a"), ("test", "c"), ("test", "p/d")):
        dicom(tmp_path / f"{split}/normal/{name}", "anonymous", "1.1")
    with caplog.at_level(logging.WARNING):
        assert groups(tmp_path) == [hashed("test/normal/c"), hashed("p")]
    assert "(0020,000D) Study Instance UID" in caplog.text


def test_some_files_without_a_patient_are_counted(tmp_path: Path, caplog):
    for n in range(5):
        dicom(tmp_path / f"test/normal/{n}", "" if n < 2 else f"P{n}", f"1.{n + 1}")
    (tmp_path / "test/normal/broken").write_bytes(bytes(128) + b"DICM" + b"\xff" * 64)
    with caplog.at_level(logging.WARNING):
        assert groups(tmp_path)[:3] == [hashed("1.1"), hashed("1.2"), hashed("P2")]
    assert "2 of 5 DICOM files have no (0010,0020) Patient ID" in caplog.text
    assert "1 of 6 headers could not be read" in caplog.text


def test_no_header_is_read_without_need(tmp_path: Path, monkeypatch):
    dicom(tmp_path / "train/normal/a")
    dicom(tmp_path / "b", "A")
    dicom(tmp_path / "c", "C")
    asked = []
    monkeypatch.setattr(patients, "read_names", lambda path: asked.append(path.name))
    load_datalist(tmp_path / "train", "inference")
    make_list(
        tmp_path,
        training=[{"image": "./b", "label": 1}, {"image": "./c", "label": 0, "group": "C"}],
        test=[{"image": "train/normal/a", "label": 0}],
    )
    load_datalist(tmp_path, "inference")
    assert asked == []
    load_datalist(tmp_path, "test")
    assert asked == ["a"]  # neither the abnormal training image nor the one with a group
