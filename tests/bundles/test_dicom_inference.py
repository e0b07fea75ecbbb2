# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Inference that writes DICOM results, through the bundle's own configuration, also when it is killed in the middle."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from monai.bundle import run
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file

from monai_anomaly.handlers.scoring.dicom_files import DicomFiles
from monai_anomaly.utils.identity import site_key, stream_digest
from tests.helpers.doors import calibrate, write_model
from tests.helpers.processes import run_fresh
from tests.helpers.tiny_bundles import config

pytestmark = pytest.mark.usefixtures("at_root")

SAMPLES = {"a.dcm": "examples_rgb_color.dcm", "b.dcm": "examples_ybr_color.dcm", "d.dcm": "examples_palette.dcm"}
ALL_KINDS = ["sc", "seg", "seg_binary", "sr"]
BROKEN_AT = 3
"""Number of the record that the kill cuts."""


def infer(files: Path, model: Path, out: Path, **more: object) -> None:
    settings = {"checkpoint": str(model), "source_names": True, "device": "cpu", "batch_size": 2, "dicom": True}
    run(config_file=config("inference"), dataset_dir=str(files), output_dir=str(out), **{**settings, **more})


def infer_and_be_killed(files: Path, model: Path, out: Path) -> None:
    """As the one above, and SIGKILL when one of the objects of an image is on the disk."""
    write = DicomFiles.write

    def write_and_die(self: DicomFiles, result: object, number: int, index: int, picture: object) -> dict[str, object]:
        said = write(self, result, number, index, picture)  # type: ignore[arg-type]
        if number == BROKEN_AT:
            for kind in ("seg", "seg_binary", "sc"):
                (self._folder / "dicom" / f"{number:06d}" / f"{kind}.dcm").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return said

    DicomFiles.write = write_and_die  # type: ignore[method-assign]
    infer(files, model, out)


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> tuple[Path, Path]:
    """Return a folder of images of all kinds, and a detector."""
    folder = tmp_path_factory.mktemp("given")
    files = folder / "in"
    files.mkdir()
    for name, sample in SAMPLES.items():
        shutil.copy(str(get_testdata_file(sample, download=False)), files / name)
    (files / "c.dcm").write_bytes((files / "a.dcm").read_bytes()[:5000])
    other = dcmread(files / "a.dcm")
    del other.StudyInstanceUID
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    other.save_as(files / "e.dcm")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(files / "f.png")
    model = write_model(folder, guard=False)
    calibrate(model)
    return files, model


@pytest.fixture(scope="module")
def unbroken(given, tmp_path_factory) -> Path:
    """Return the results of a run that came to its end."""
    out = tmp_path_factory.mktemp("unbroken")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(__file__).parents[2])
        infer(*given, out)
    return out


def content(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found["index.html"] = re.sub(rb"20\d\d-\d\d-\d\d \d\d:\d\d", b"", found["index.html"])
    return found


def records(folder: Path) -> dict[str, dict]:
    lines = (folder / "records.jsonl").read_text().splitlines()
    return {record["image"]: record for record in map(json.loads, lines)}


def test_a_record_says_which_objects_there_are_which_bytes_they_have_or_why_there_are_none(unbroken):
    found = records(unbroken)
    kinds = {name: sorted(record["dicom"] or ()) for name, record in found.items()}
    none: list[str] = []
    expected = {
        "a.dcm": ALL_KINDS,
        "b.dcm": ["sc", "sr"],
        "c.dcm": none,
        "d.dcm": ALL_KINDS,
        "e.dcm": none,
        "f.png": none,
    }
    assert kinds == expected
    for record in found.values():
        assert (record["dicom"] or {}).keys() == (record["dicom_digests"] or {}).keys()
        for kind, name in (record["dicom"] or {}).items():
            written = (unbroken / name).read_bytes()
            assert stream_digest(io.BytesIO(written), site_key()) == record["dicom_digests"][kind]
    reasons = {name: record["dicom_reason"] for name, record in found.items()}
    assert reasons["a.dcm"] is None and reasons["d.dcm"] is None
    assert "no segmentation" in reasons["b.dcm"] and "no score" in reasons["c.dcm"]
    assert "Study Instance UID is missing" in reasons["e.dcm"] and "no DICOM" in reasons["f.png"]


def test_the_folder_has_each_object_once_and_nothing_that_no_record_names(unbroken):
    named = [name for record in records(unbroken).values() for name in (record["dicom"] or {}).values()]
    there = [path.relative_to(unbroken).as_posix() for path in (unbroken / "dicom").rglob("*") if path.is_file()]
    assert Counter(named) == Counter(there) and len(there) == 10
    headers = [dcmread(unbroken / name, stop_before_pixels=True) for name in there]
    assert len({header.SOPInstanceUID for header in headers}) == 10
    sources = {dcmread(str(get_testdata_file(name))).StudyInstanceUID for name in SAMPLES.values()}
    assert {header.StudyInstanceUID for header in headers} == sources


def test_a_run_that_was_killed_goes_on_to_the_same_bytes(given, unbroken, tmp_path, capsys):
    ended = run_fresh(infer_and_be_killed, *given, tmp_path)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    (partial,) = tmp_path.glob("partial-*")
    cut = sorted(path.name for path in (partial / "dicom" / f"{BROKEN_AT:06d}").iterdir())
    assert cut == ["sr.dcm"] and not (tmp_path / "records.jsonl").exists()
    infer(*given, tmp_path, resume=True)
    assert content(tmp_path) == content(unbroken)
    assert "Resuming: 2 of 6 files are kept" in capsys.readouterr().out  # of three records one is of a refused file


@pytest.mark.parametrize("harm", ["missing", "changed"])
def test_an_object_that_is_not_whole_is_made_again(given, unbroken, tmp_path, capsys, harm):
    out = tmp_path / "out"
    shutil.copytree(unbroken, out)
    harmed = out / records(out)["d.dcm"]["dicom"]["seg"]
    if harm == "missing":
        harmed.unlink()
    else:
        harmed.write_bytes(harmed.read_bytes()[:-2] + b"\1\1")
    infer(*given, out, resume=True)
    assert "1 without whole DICOM objects" in capsys.readouterr().out
    assert content(out) == content(unbroken)


def test_a_run_without_objects_keeps_none(given, unbroken, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree(unbroken, out)
    infer(*given, out, resume=True, dicom=False)
    assert "dicom was True and is False" in capsys.readouterr().out
    assert not (out / "dicom").exists() and all("dicom" not in record for record in records(out).values())
