# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists import csv_list, csv_table
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.utils.identity import KEY_VARIABLE
from tests.helpers.data_lists import make_list, make_tree
from tests.helpers.dicom_files import make_dataset, save

PICTURE = np.arange(64, dtype=np.uint8).reshape(8, 8)


@pytest.fixture(autouse=True)
def site_key(tmp_path_factory, monkeypatch):
    path = tmp_path_factory.mktemp("key") / "key"
    path.write_bytes(b"the key of one hospital")
    monkeypatch.setenv(KEY_VARIABLE, str(path))


def write(root: Path, text: str | bytes) -> Path:
    (root / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def load(root: Path, section: str, **options) -> list[dict]:
    return load_datalist(root, section, source_names=True, **options)


def found(root: Path, section: str) -> list[tuple[str, int]]:
    return [(item["name"], item["label"]) for item in load(root, section)]


def refusal(root: Path, section: str = "test", **options) -> str:
    with pytest.raises(DataListError) as caught:
        load_datalist(root, section, **options)
    return str(caught.value)


def test_what_messages_call_a_row_decides_nothing(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(csv_list, "_where", lambda row: "somewhere")
    make_tree(tmp_path, *(f"{name}.png" for name in "abcdef"))
    write(
        tmp_path,
        "file,label,split\na.png,0,train\nb.png,0,val\nc.png,0,test\nd.png,1,test\ne.png,1,unlabeled\nf.png,,\n",
    )
    sections = ("training", "validation", "test", "unlabeled", "inference")
    assert ["".join(name[0] for name, _ in found(tmp_path, section)) for section in sections] == [
        "a",
        "b",
        "cd",
        "e",
        "f",
    ]


def make_archive(root: Path) -> None:
    """Three studies of two patients; the last study has a report; one file is no DICOM, one header is broken."""
    for number, (patient, study) in enumerate([("A", 1), ("A", 1), ("A", 2), ("B", 3)]):
        dataset = make_dataset(
            PICTURE, PatientID=patient, StudyInstanceUID=f"1.2.{study}", SOPInstanceUID=f"1.3.{number}"
        )
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        save(root / f"IM{number}", dataset)
    report = make_dataset(PICTURE, PatientID="B", StudyInstanceUID="1.2.3")
    del report.Rows, report.Columns, report.PixelData
    save(root / "SR0", report)
    (root / "note").write_bytes(b"hello")
    (root / "broken").write_bytes(bytes(128) + b"DICM" + b"\xff" * 40)


def test_by_file_with_all_columns(tmp_path: Path):
    make_tree(tmp_path, "a.png", "x/b.dcm", "c.png", "m.png", "d.png", "e.png")
    write(
        tmp_path,
        "Split;LABEL;file;Group;frame;frames;mask;age\n"
        "train;normal;a.png;p1;;;;50\nTesting;1;x/b.dcm;p2;3.0;;m.png;\nval;0;c.png;p3;;every:2;;7\n"
        "test;0;d.png;p4;;;;\n;;e.png;p9;;;;\n\n;;;;;;;\n",
    )
    (first,) = load(tmp_path, "training")
    assert {k: first[k] for k in ("name", "label", "group", "index")} == {
        "name": "a.png",
        "label": 0,
        "group": "p1",
        "index": 0,
    }
    test = load(tmp_path, "test", require_both=True)
    assert [(item["name"], item["label"], item.get("frame")) for item in test] == [
        ("d.png", 0, None),
        ("x/b.dcm", 1, 3),
    ]
    assert [item["mask"] for item in test] == ["", str(tmp_path / "m.png")]
    assert load(tmp_path, "validation")[0]["frames"] == "every:2"
    assert found(tmp_path, "inference") == [("e.png", -1)]


@pytest.mark.parametrize("key", ["sop_instance_uid", "study_instance_uid"])
def test_by_uid(tmp_path: Path, caplog, key):
    make_archive(tmp_path)
    rows = {"sop_instance_uid": "1.3.0,1,test\n1.3.3,0,train\n", "study_instance_uid": "1.2.1,1,test\n1.2.3,0,train\n"}
    write(tmp_path, f"{key},label,split\n{rows[key]}")
    with caplog.at_level(logging.WARNING):
        test = found(tmp_path, "test")
    assert test == ([("IM0", 1)] if key[1] == "o" else [("IM0", 1), ("IM1", 1)])
    assert found(tmp_path, "training") == [("IM3", 0)]
    assert "1 DICOM headers could not be read" in caplog.text and "1 DICOM files hold no picture" in caplog.text
    assert f"{7 - len(test) - 1} files below dataset_dir are in no row" in caplog.text


def test_copies_of_an_object_are_taken_once(tmp_path: Path, caplog):
    for name in ("b", "a", "c"):
        save(tmp_path / name, make_dataset(PICTURE, SOPInstanceUID="1.2.3", StudyInstanceUID="1.2"))
    write(tmp_path, "study_instance_uid,label,split\n1.2,0,test\n")
    assert found(tmp_path, "test") == [("a", 0)]
    assert "2 DICOM files have the (0008,0018) SOP Instance UID of another" in caplog.text


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path):
    make_tree(tmp_path, *(f"{n:02}.png" for n in range(40)))
    rows = [f"{n:02}.png,{int(n % 4 == 0)}\n" for n in range(40)]
    splits = []
    for order in (rows, rows[::-1]):
        write(tmp_path, "file,label\n" + "".join(order))
        splits.append([found(tmp_path, section) for section in ("training", "validation", "test")])
    assert splits[0] == splits[1]
    assert [len(part) for part in splits[0]] == [18, 3 + 3, 9 + 7]


def test_split_is_by_the_header_s_patient(tmp_path: Path):
    for n in range(30):
        save(tmp_path / f"{n:02}", make_dataset(PICTURE, PatientID=f"P{n % 10}", StudyInstanceUID=f"1.{n + 1}"))
    write(tmp_path, "file,label\n" + "".join(f"{n:02},{int(n == 3)}\n" for n in range(30)))
    groups = [{item["group"] for item in load(tmp_path, s)} for s in ("training", "validation", "test")]
    assert [len(group) for group in groups] == [5, 1, 4]  # nine healthy patients: 5, 1, 3; the ill one to test
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    assert sum(label for _, label in found(tmp_path, "test")) == 1
    assert len(load(tmp_path, "test", split_shares=(0.2, 0.0, 0.8))) > len(load(tmp_path, "test"))


@pytest.mark.parametrize("shares", [(1, 0, 0), (0, 0.5, 0.5), (0.5, 0.5), (0.5, 0.2, 0.2), (0.6, -0.1, 0.5), "abc"])
def test_shares_are_checked(tmp_path: Path, shares):
    with pytest.raises(ValueError, match="split_shares must be"):
        load_datalist(tmp_path, "test", split_shares=shares)


def test_windows_paths(tmp_path: Path):
    make_tree(tmp_path, "x/b.png")
    write(tmp_path, "file,label,split\r\nx\\b.png,0,test\r\n")
    assert found(tmp_path, "test") == [("x/b.png", 0)]


def test_quoted_fields_byte_order_mark_and_line_breaks(tmp_path: Path):
    make_tree(tmp_path, 'a,"b.png', "ä.png")
    text = '\ufefffile,label,split,"a ""note"""\n"a,""b.png",0,test,"two\nlines"\nä.png,1,test,\n'
    write(tmp_path, text)
    assert found(tmp_path, "test") == [('a,"b.png', 0), ("ä.png", 1)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "first line of labels.csv must name its columns"),
        ("label\n0\n", "first line"),
        ("file|label\na.png|0\n", "separated by commas, semicolons or tabs"),
        ("file,label\n", "no rows"),
        ("file,label,label\na.png,0,0\n", "column label twice"),
        ("name,label\na.png,0\n", "exactly one of the columns file, sop_instance_uid, study_instance_uid, it has 0"),
        ("file,sop_instance_uid,label\na.png,1.2,0\n", "it has 2"),
        ("file,label\na.png,0\na.png,0\n", "line 3 of labels.csv repeats line 2"),
        ("file,label,group\na.png,0,p\na.png,1,q\n", "line 3 of labels.csv contradicts line 2 in label, group"),
        ("file,label\na.png,0\n./a.png,0\n", "listed twice"),
        ("file,label\na.png,0\n,1\n", "line 3 of labels.csv has no file"),
        ("file,label\na.png,2\n", "label of line 2"),
        ("file,label\na.png,Benign\n", "benign may be a finding"),
        ("file,label,split\na.png,0,\n", "split of line 2"),
        ("file,label,split\na.png,0,holdout\n", "split of line 2"),
        ("file,label,frame\na.png,0,-1\n", "frame of line 2"),
        ("file,label,frame\na.png,0,1e3\n", "frame of line 2"),
        ("file,label,frames\na.png,0,some\n", "frames of line 2"),
        ("file,label,frame,frames\na.png,0,1,all\n", "line 2 of labels.csv has frame and frames"),
        ("file,label,mask\na.png,1,/etc/x\n", "mask of line 2"),
        (
            "file,label\nb.png,0\na.png,0\nc.png,0\n",
            "2 rows of labels.csv match no file below dataset_dir (line 2 first)",
        ),
        ("file,label\na.png,0\n\na.png,0,\n", "line 4 of labels.csv has 3 columns, the header has 2"),
        ('file,label\na.png,0\n"a.png,0\n', "line 3 of labels.csv cannot be read"),
        ('file,label\na.png,0\n"a"x,0\n', "line 3 of labels.csv cannot be read"),
        (b"file,label\na.png,0\n\xe4.png,0\n", "line 3 of labels.csv is not UTF-8"),
        ("file,label\na.png,0\n".encode("utf-16-le"), "line 1 of labels.csv holds a NUL byte"),
        (b"\xff\xfef", "labels.csv is neither UTF-8 nor UTF-16"),
        ("file,label\n" + "a" * 200_000 + ",0\n", "line 2 of labels.csv cannot be read"),
        ("study_instance_uid,label\n1.2.3,0\n", "1 rows of labels.csv match no file"),
    ],
)
def test_refusals(tmp_path: Path, text, words):
    make_tree(tmp_path, "a.png")
    assert words in refusal(write(tmp_path, text))


def test_the_size_is_limited(tmp_path: Path, monkeypatch):
    make_tree(tmp_path, "a.png")
    write(tmp_path, "file,label,split\na.png,0,test\n")
    monkeypatch.setattr(csv_table, "MAX_BYTES", 30)
    assert load(tmp_path, "test")
    monkeypatch.setattr(csv_table, "MAX_BYTES", 29)
    assert "is larger than" in refusal(tmp_path)


def test_a_patient_in_two_splits_of_the_table(tmp_path: Path):
    make_archive(tmp_path)
    write(tmp_path, "study_instance_uid,label,split\n1.2.1,0,train\n1.2.2,0,test\n1.2.3,0,test\n")
    message = refusal(tmp_path)
    assert "is in training and in test: line 2 of labels.csv (id" in message and "line 3 of labels.csv (id" in message
    write(tmp_path, "study_instance_uid,label,split,group\n1.2.1,0,train,x\n1.2.2,0,test,y\n1.2.3,0,test,\n")
    assert len(load(tmp_path, "test")) == 2  # the table's groups win


def test_two_lists_are_one_too_many(tmp_path: Path):
    make_list(tmp_path, test=[{"image": "a.png", "label": 0}])
    write(tmp_path, "file,label\na.png,0\n")
    assert "keep one" in refusal(tmp_path)


def test_labels_are_not_needed_for_inference(tmp_path: Path):
    make_tree(tmp_path, "a.png", "b.png")
    write(tmp_path, "file,label\na.png,\n")
    assert found(tmp_path, "inference") == [("a.png", -1)]
    assert "no normal training images" in refusal(tmp_path, "training")


@pytest.mark.parametrize(
    "text",
    [
        "file\tlabel\tsplit\na.png\t0\ttest\nb.png\t1\ttest\n",
        "sep=;\r\nfile;label;split\r\na.png;0;test\r\nb.png;1;test\r\n",
        '"sep=,"\nfile,label,split\n"a.png",0,test\nb.png,1,test\n',
        "SEP=|\nfile|label|split\na.png|0|test\nb.png|1|test\n",
        "\ufefffile;label;split\na.png;false;test\nb.png;TRUE;test\n",
        "file,Label ,split\na.png,0,test\nb.png,1,test\n".encode("utf-16"),
        "file\tlabel\tsplit\r\na.png\t0\ttest\r\nb.png\t1\ttest\r\n".encode("utf-16"),
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path: Path, text):
    make_tree(tmp_path, "a.png", "b.png")
    assert found(write(tmp_path, text), "test") == [("a.png", 0), ("b.png", 1)]


def test_lines_are_counted_with_the_one_that_names_the_separator(tmp_path: Path):
    make_tree(tmp_path, "a.png")
    assert "label of line 3 of labels.csv" in refusal(write(tmp_path, "sep=;\nfile;label\na.png;2\n"))


@pytest.mark.parametrize(
    ("table", "entry"),
    [
        ({"label": "true"}, {"label": True}),
        ({"label": "FALSE"}, {"label": False}),
        ({"label": "1", "frame": "2.0"}, {"label": "1", "frame": 2.0}),
        ({"label": "1", "frame": "2"}, {"label": 1.0, "frame": "2"}),
        ({"label": "0", "frame": "", "group": "7"}, {"label": 0, "frame": "", "group": 7}),
        ({"label": "1", "mask": "sub\\m.png"}, {"label": 1, "mask": "sub\\m.png"}),
        ({"label": "0", "old": "TRUE"}, {"label": 0, "old": True}),
    ],
)
def test_a_value_means_the_same_in_a_table_and_in_a_list(tmp_path: Path, table, entry):
    columns = ["old"] if "old" in table else []
    loaded = []
    for form in ("csv", "json"):
        root = make_tree(tmp_path / form, "a.png", "sub/m.png")
        if form == "csv":
            write(
                root, ",".join(["file", "split", *table]) + "\n" + ",".join(["a.png", "test", *table.values()]) + "\n"
            )
        else:
            (root / "dataset.json").write_text(json.dumps({"test": [{"image": "a.png", **entry}]}))
        item = load(root, "test", columns=columns)[0]
        loaded.append({key: str(value).replace(str(root), "") for key, value in item.items()})
    assert loaded[0] == loaded[1]


def test_masks_beside_images_are_not_taken_by_their_uids(tmp_path: Path, caplog):
    for name in ("a.dcm", "a_mask.dcm"):
        save(tmp_path / name, make_dataset(PICTURE, StudyInstanceUID="1.2.9", SOPInstanceUID=f"1.2.9.{len(name)}"))
    write(tmp_path, "study_instance_uid,label,split\n1.2.9,0,test\n")
    assert found(tmp_path, "test") == [("a.dcm", 0)]
    assert "1 files are called as masks or other helpers of an image are; these files are not used." in caplog.text
