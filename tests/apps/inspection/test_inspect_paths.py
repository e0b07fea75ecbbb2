# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.uid import DigitalXRayImageStorageForProcessing

from monai_anomaly.__main__ import main
from monai_anomaly.apps.inspection.contact_sheet import GAP, MARGIN, TILE
from monai_anomaly.apps.inspection.inspector import RECORD_KEYS
from monai_anomaly.apps.inspection.listed_files import list_paths
from monai_anomaly.data.lists.folders.folder_entries import list_files
from monai_anomaly.transforms.load import LoadClinicalImage
from monai_anomaly.utils.identity import KEY_VARIABLE, keyed_hash
from tests.helpers.dicom_files import make_dataset, make_region, save
from tests.helpers.tiff_files import gray_tags, write_tiff

KEY = b"0123456789abcdef"
LUMA = np.array([0.299, 0.587, 0.114])
CANARY = re.compile(r"ZZCANARY|JANE", re.IGNORECASE)


@pytest.fixture(autouse=True)
def key_file(tmp_path_factory, monkeypatch) -> Path:
    path = tmp_path_factory.mktemp("key") / "identity.key"
    path.write_bytes(KEY)
    monkeypatch.setenv(KEY_VARIABLE, str(path))
    return path


@pytest.fixture
def gray() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 65536, (40, 50), np.uint16)


@pytest.fixture
def archive(tmp_path, gray) -> Path:
    """Return a folder with something of everything."""
    root = tmp_path / "archive"
    (root / "DOE_JANE").mkdir(parents=True)
    (root / ".hidden").mkdir()
    save(root / "DOE_JANE" / "us.dcm", make_dataset(gray))
    whole = (root / "DOE_JANE" / "us.dcm").read_bytes()
    (root / "truncated.dcm").write_bytes(whole[:-100])
    (root / "empty.dcm").touch()
    (root / "notes.txt").write_text("ZZCANARY")
    (root / ".hidden" / "us.dcm").write_bytes(whole)
    (root / ".us.dcm").write_bytes(whole)
    (root / "dangling.dcm").symlink_to(root / "nowhere")
    (root / "loop.dcm").symlink_to(root / "loop.dcm")
    (root / "again").symlink_to(root, target_is_directory=True)
    os.mkfifo(root / "pipe.dcm")
    Image.fromarray(gray.astype(np.uint16)).save(root / "zz.png")
    Image.fromarray(np.zeros((16, 31), np.uint8)).save(root / "small.png")
    return root


STATUS = {
    "DOE_JANE/us.dcm": "read",
    "dangling.dcm": "not_found",
    "empty.dcm": "not_dicom",
    "loop.dcm": "unreadable",
    "notes.txt": "not_dicom",
    "pipe.dcm": "unreadable",
    "small.png": "too_small",
    "truncated.dcm": "truncated",
    "zz.png": "read",
}


def inspect(capsys, *arguments: Any) -> tuple[int, list[dict[str, Any]]]:
    """Run the verb with --json and return the exit code and the records."""
    code = main(["inspect", "--json", *map(str, arguments)])

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return code, [json.loads(line, parse_constant=refuse) for line in capsys.readouterr().out.splitlines()]


def inspect_one(capsys, *arguments: Any) -> dict[str, Any]:
    code, (record,) = inspect(capsys, *arguments)
    assert code == (0 if record["status"] == "read" else 3)
    return record


def test_every_file_has_one_record(capsys, archive):
    code, records = inspect(capsys, archive, "--min-size", 32)
    assert code == 3
    outcomes = {Path(r["path"]).relative_to(archive).as_posix(): r["code"] or r["status"] for r in records}
    assert outcomes == STATUS and len(records) == len(STATUS)
    for record in records:
        assert tuple(record) == RECORD_KEYS
        assert record["status"] == ("read" if record["code"] is None else "refused")
        assert not CANARY.search(record["message"] or "") and str(archive) not in (record["message"] or "")
        if record["code"] not in (None, "too_small"):
            given = {"path", "status", "code", "message", "id"}
            assert {key for key in record if record[key] is not None} == given


def test_files_and_their_ids_are_those_of_a_run(capsys, archive):
    entries = list_files(archive, archive, label=0, every=True)
    _, records = inspect(capsys, archive)
    assert [r["path"] for r in records] == [str(archive / entry.name) for entry in entries]
    assert [r["id"] for r in records] == [keyed_hash(entry.name, KEY, "file") for entry in entries]
    record = inspect_one(capsys, archive / "DOE_JANE" / "us.dcm")
    assert record["id"] == keyed_hash("us.dcm", KEY, "file")


def test_numbers_of_a_gray_image(capsys, tmp_path, gray):
    record = inspect_one(capsys, save(tmp_path / "a.dcm", make_dataset(gray, "MONOCHROME1", PixelSpacing=[0.2, 0.3])))
    expected = 1 - gray / 65535
    assert record["mean"] == pytest.approx(expected.mean(), abs=1e-6)
    assert record["min"] == pytest.approx(expected.min(), abs=1e-6)
    assert record["max"] == pytest.approx(expected.max(), abs=1e-6)
    wanted = {"shape": [1, 40, 50], "modality": "US", "frames": 1, "frame": 0, "region": "none", "box": [0, 0, 50, 40]}
    wanted |= {"spacing": [0.2, 0.3], "spacing_origin": "pixel_spacing", "kind": "dicom", "photometric": "MONOCHROME1"}
    wanted |= {"voi": False, "inverted": True, "masked": 0.0, "duplicate_of": None, "code": None, "message": None}
    assert {key: record[key] for key in wanted} == wanted
    assert record["warnings"] == []


def test_numbers_of_a_real_radiograph(capsys):
    """The mean that highdicom gives with VOI and presentation applied."""
    path = get_testdata_file("dicomdirtests/77654033/CR1/6154", download=False)
    record = inspect_one(capsys, path)
    assert record["mean"] == pytest.approx(0.38325, abs=1e-4)
    assert (record["min"], record["max"]) == pytest.approx((0.3153, 0.5127), abs=1e-4)
    assert record["voi"] and record["inverted"]
    assert record["warnings"] == ["the image is 16 x 16 pixels; a bundle refuses sides below 32"]


def test_what_is_smaller_than_asked_for_is_refused_and_described(capsys):
    path = get_testdata_file("dicomdirtests/77654033/CR1/6154", download=False)
    assert inspect_one(capsys, path, "--min-size", 16)["warnings"] == []
    record = inspect_one(capsys, path, "--min-size", 17)
    assert (record["status"], record["code"], record["shape"]) == ("refused", "too_small", [1, 16, 16])
    assert "16 x 16" in record["message"]
    assert record["mean"] == pytest.approx(0.38325, abs=1e-4)


def test_region_is_reported(capsys, tmp_path, gray):
    inside = make_dataset(gray, SequenceOfUltrasoundRegions=[make_region((5, 3, 44, 36))])
    record = inspect_one(capsys, save(tmp_path / "a.dcm", inside))
    assert (record["region"], record["box"], record["shape"]) == ("trusted", [5, 3, 45, 37], [1, 34, 40])
    assert record["mean"] == pytest.approx((gray[3:37, 5:45] / 65535).mean(), abs=1e-6)
    assert record["spacing"] == pytest.approx([0.2, 0.2])
    record = inspect_one(capsys, tmp_path / "a.dcm", "--no-crop")
    assert record["shape"] == [1, 40, 50]
    outside = make_dataset(gray, SequenceOfUltrasoundRegions=[make_region((5, 3, 90, 36))])
    record = inspect_one(capsys, save(tmp_path / "b.dcm", outside))
    assert (record["region"], record["shape"], record["spacing"]) == ("untrusted", [1, 40, 50], None)
    assert len(record["warnings"]) == 1 and "(0018,6011)" in record["warnings"][0]


def test_channels(capsys, tmp_path):
    color = np.random.default_rng(2).integers(0, 256, (33, 34, 3), np.uint8)
    Image.fromarray(color).save(tmp_path / "a.png")
    record = inspect_one(capsys, tmp_path / "a.png")
    assert record["shape"] == [1, 33, 34]
    assert record["mean"] == pytest.approx((color / 255 @ LUMA).mean(), abs=1e-6)
    assert record["modality"] is None and record["kind"] == "raster"
    record = inspect_one(capsys, tmp_path / "a.png", "--channels", 3)
    assert record["shape"] == [3, 33, 34]
    assert record["mean"] == pytest.approx((color / 255).mean(), abs=1e-6)


def test_window_and_its_switch(capsys, tmp_path):
    stored = np.random.default_rng(3).integers(0, 256, (32, 32), np.uint8)
    path = save(tmp_path / "a.dcm", make_dataset(stored, WindowCenter=100, WindowWidth=50))
    windowed = np.clip((stored - 99.5) / 49 + 0.5, 0, 1)  # PS3.3 C.11.2.1.2.1
    record = inspect_one(capsys, path)
    assert record["voi"] and record["mean"] == pytest.approx(windowed.mean(), abs=1e-5)
    record = inspect_one(capsys, path, "--no-voi")
    assert not record["voi"] and record["mean"] == pytest.approx((stored / 255).mean(), abs=1e-6)


def test_masks_and_their_switch(capsys, tmp_path, gray):
    path = save(tmp_path / "a.dcm", make_dataset(gray, PixelPaddingValue=int(gray[0, 0])))
    record = inspect_one(capsys, path)
    padding = gray == gray[0, 0]
    assert record["masked"] == pytest.approx(padding.mean())
    assert record["mean"] == pytest.approx(np.where(padding, 0, gray / 65535).mean(), abs=1e-6)
    record = inspect_one(capsys, path, "--no-masks")
    assert record["masked"] == 0 and record["mean"] == pytest.approx((gray / 65535).mean(), abs=1e-6)


def test_raw_images_and_their_switch(capsys, tmp_path, gray):
    raw = make_dataset(gray, SOPClassUID=DigitalXRayImageStorageForProcessing, Modality="DX")
    path = save(tmp_path / "a.dcm", raw)
    refused = inspect_one(capsys, path)
    assert refused["status"] == "refused" and "for_processing" in refused["message"]
    assert inspect_one(capsys, path, "--for-processing")["status"] == "read"


@pytest.mark.parametrize(
    ("rule", "chosen"), [("middle", [2]), ("all", [0, 1, 2, 3, 4]), ("every:2", [0, 2, 4]), ("spaced:2", [1, 3])]
)
def test_frames(capsys, tmp_path, rule, chosen):
    cine = np.random.default_rng(4).integers(0, 256, (5, 32, 40), np.uint8)
    cine[3] //= 4
    path = save(tmp_path / "cine.dcm", make_dataset(cine))
    record = inspect_one(capsys, path, "--frames", rule)
    assert record["frames"] == 5
    assert record["frame"] == (chosen if len(chosen) > 1 else chosen[0])
    assert record["mean"] == pytest.approx((cine[chosen] / 255).mean(), abs=1e-6)
    assert record["max"] == pytest.approx(cine[chosen].max() / 255, abs=1e-6)


def test_frames_of_different_sizes(capsys, tmp_path):
    pages = [np.full((32, 40), 51, np.uint8), np.full((32, 40), 204, np.uint8)]
    turned = [gray_tags(32, 40) | {274: (3, [orientation])} for orientation in (1, 6)]
    content = write_tiff([(tags, [page.tobytes()]) for tags, page in zip(turned, pages, strict=True)])
    (tmp_path / "a.tif").write_bytes(content)
    record = inspect_one(capsys, tmp_path / "a.tif", "--frames", "all")
    assert record["mean"] == pytest.approx((0.2 + 0.8) / 2, abs=1e-6)
    assert record["shape"] == [1, 32, 40] and any("differ in size" in note for note in record["warnings"])


def test_a_thumbnail_is_no_frame(capsys, tmp_path):
    small, large = (Image.fromarray(np.full(shape, 51, np.uint8)) for shape in ((32, 40), (64, 80)))
    small.save(tmp_path / "a.tif", save_all=True, append_images=[large])
    record = inspect_one(capsys, tmp_path / "a.tif", "--frames", "all")
    assert record["frames"] == 1 and record["shape"] == [1, 64, 80]
    assert any("1 further picture of the TIFF" in note for note in record["warnings"])


def test_arrays(capsys, tmp_path):
    array = np.random.default_rng(5).integers(0, 900, (40, 34, 3)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / "a.nii")
    assert inspect_one(capsys, tmp_path / "a.nii")["code"] == "ambiguous_axes"
    record = inspect_one(capsys, tmp_path / "a.nii", "--frames-axis", 2, "--value-range", -100, 1000, "--frames", "all")
    assert record["shape"] == [1, 34, 40] and record["frames"] == 3
    assert record["mean"] == pytest.approx(((array + 100) / 1100).mean(), abs=1e-6)


@pytest.mark.parametrize("option", ["--max-pixels=1999", "--max-frames=1", "--max-bytes=7999"])
def test_limits(capsys, tmp_path, option):
    cine = np.arange(2 * 40 * 50, dtype=np.uint16).reshape(2, 40, 50)
    path = save(tmp_path / "a.dcm", make_dataset(cine))
    assert inspect_one(capsys, path)["status"] == "read"
    record = inspect_one(capsys, path, option)
    assert record["code"] == "budget" and option.split("=")[0][2:].replace("-", "_") in record["message"]


def test_duplicates_name_the_first(capsys, archive, gray):
    other = gray.copy()
    other[0, 0] ^= 0x100
    Image.fromarray(other).save(archive / "zz_other.png")
    _, records = inspect(capsys, archive)
    first = str(archive / "DOE_JANE" / "us.dcm")
    assert {Path(r["path"]).name: r["duplicate_of"] for r in records if r["duplicate_of"]} == {"zz.png": first}


def test_names_that_are_no_text_survive(capsys, tmp_path, gray):
    name = os.fsdecode(b"caf\xe9 \xff.dcm")
    folder = tmp_path / "line\nbreak \x1b[31m"
    folder.mkdir()
    save(folder / name, make_dataset(gray))
    record = inspect_one(capsys, folder)
    assert record["path"] == str(folder / name)
    assert record["id"] == keyed_hash(name, KEY, "file")
    assert main(["inspect", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(" 1  read") for line in lines) == 1
    assert any(line.endswith(r"line\nbreak \x1b[31m/caf\udce9 \udcff.dcm") for line in lines)


def test_a_folder_that_may_not_be_listed_is_refused_by_name(capsys, archive, monkeypatch):
    scandir = os.scandir

    def deny(path: Any = ".") -> Any:
        if os.fspath(path).endswith("DOE_JANE"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deny)
    _, records = inspect(capsys, archive)
    (record,) = (r for r in records if r["path"].endswith("DOE_JANE"))
    assert (record["status"], record["code"]) == ("refused", "unreadable") and "listed" in record["message"]


def test_files_given_twice_are_read_once(archive):
    paths = [str(archive / "zz.png"), str(archive), str(archive / "DOE_JANE" / ".." / "zz.png"), str(archive)]
    assert len(list_paths(paths)) == len(STATUS)
    assert list_paths(paths)[0].path == paths[0]


def test_a_fault_in_one_file_does_not_end_the_run(capsys, archive, monkeypatch):
    monkeypatch.setattr(LoadClinicalImage, "load", _raise(StopIteration("ZZCANARY")))
    code, records = inspect(capsys, archive, "--min-size", 32)
    assert code == 3 and len(records) == len(STATUS)
    assert {r["code"] for r in records if r["path"].endswith("us.dcm")} == {"decode_failed"}
    assert not any(CANARY.search(r["message"]) for r in records)


def test_text_for_people(capsys, archive):
    assert main(["inspect", str(archive), "--min-size", "32"]) == 3
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert printed.err == "" and "\x1b" not in printed.out
    numbered = [line for line in lines if re.match(r" ?\d+  (read|REFUSED)  ", line)]
    assert [int(line.split()[0]) for line in numbered] == list(range(1, len(STATUS) + 1))
    assert [line.split()[1] for line in numbered] == ["read" if s == "read" else "REFUSED" for s in STATUS.values()]
    assert [line.endswith(f"/{name}") for line, name in zip(numbered, STATUS, strict=True)] == [True] * len(STATUS)
    assert re.search(r"^ 1  read     1 x 40 x 50 +US +MONOCHROME2 +1 +- +- +0\.\d{4}  0\.\d{4}  0\.\d{4}", lines[1])
    assert all(keyed_hash(name, KEY, "file") in line for line, name in zip(numbered, STATUS, strict=True))
    assert "    truncated: (7FE0,0010) Pixel Data holds" in printed.out
    assert "    the same pixels as 1" in lines
    summary = lines[lines.index("9 files: 2 read, 7 refused") :]
    assert "      1  dicom US" in summary and "      1  raster" in summary
    assert "         1 = 9" in summary
    assert sum("not_dicom" in line for line in summary) == 2  # two reasons of one code
    assert sum(int(line.split()[0]) for line in summary if re.match(r" +\d+  \w+: ", line)) == 7


def test_summary_groups_sentences_that_differ_in_numbers(capsys, tmp_path, gray):
    for index in range(3):
        other = make_dataset(gray[: 40 - index], SequenceOfUltrasoundRegions=[make_region((0, 0, 90, 36))])
        save(tmp_path / f"{index}.dcm", other)
        Image.new("L", (10 + index, 8)).save(tmp_path / f"{index}.png")
    assert main(["inspect", str(tmp_path), "--min-size", "32"]) == 3
    summary = capsys.readouterr().out.split("\n6 files: 3 read, 3 refused\n")[1]
    assert re.search(r"^      3  too_small: the image is 8 x 10 pixels; .* \(first: 2\)$", summary, re.MULTILINE)
    assert re.search(r"^      3  an ultrasound region \(0018,6011\) .* 40 x 50 .* \(first: 1\)$", summary, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "'nowhere' does not exist"),
        (["."], "no visible file"),
        ([".", "--sheet", "a.jpg"], "no visible file"),
        (["a.png", "--sheet", "a.jpg"], "ends in .png"),
        (["a.png", "--sheet", "nowhere/a.png"], "cannot be written"),
        (["a.png", "--sheet", "folder.png"], "is a folder"),
        (["a.png", "--value-range", "1", "1"], "value_range must be"),
        (["a.png", "--value-range", "0", "inf"], "finite"),
        (["a.png", "--frames", "some"], "every:N"),
        (["a.png", "--frames-axis", "1"], "at least 2"),
        (["a.png", "--min-size", "0"], "at least 1"),
        (["a.png", "--max-pixels", "0"], "at least 1"),
        (["a.png", "--sheet-limit", "1001"], "at most 1000"),
        (["a.png", "--channels", "2"], "invalid choice"),
        ([], "required: PATH"),
    ],
)
def test_command_lines_that_make_no_sense(capsys, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    if "a.png" in arguments:
        Image.new("L", (40, 40)).save("a.png")
        Path("folder.png").mkdir()
    monkeypatch.setattr(LoadClinicalImage, "load", _raise(AssertionError("nothing may be read")))
    try:
        code = main(["inspect", *arguments])
    except SystemExit as end:
        code = end.code
    printed = capsys.readouterr()
    assert code == 2 and printed.out == ""
    assert sentence in printed.err.strip().splitlines()[-1]


def test_other_errors(capsys, tmp_path, monkeypatch, gray):
    path = save(tmp_path / "a.dcm", make_dataset(gray))
    monkeypatch.setattr(
        "monai_anomaly.apps.inspection.contact_sheet.ContactSheet.save", _raise(OSError(28, "No space left"))
    )
    assert main(["inspect", path, "--sheet", str(tmp_path / "sheet.png")]) == 1
    assert "error: the output cannot be written (No space left); make room for it." in capsys.readouterr().err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.dcm"]
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "nowhere"))
    assert main(["inspect", path]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("error: the key file") and printed.out == ""


def test_an_interrupt_keeps_what_was_done(capsys, archive, monkeypatch):
    load = LoadClinicalImage.load

    def interrupted(self: Any, path: str, frame: int | None = None) -> Any:
        if path.endswith("small.png"):
            raise KeyboardInterrupt
        return load(self, path, frame)

    monkeypatch.setattr(LoadClinicalImage, "load", interrupted)
    assert main(["inspect", str(archive), "--sheet", str(archive / "sheet.png")]) == 130
    lines = capsys.readouterr().out.splitlines()
    done = list(STATUS).index("small.png")
    assert sum(bool(re.match(r" \d  (read|REFUSED)", line)) for line in lines) == done
    assert f"{done} of {len(STATUS)} files: 1 read, {done - 1} refused" in lines
    assert Image.open(archive / "sheet.png").height > 0


def test_an_interrupt_while_files_are_listed(monkeypatch, capsys):
    monkeypatch.setattr("monai_anomaly.apps.inspection.inspect_paths.list_paths", _raise(KeyboardInterrupt()))
    assert main(["inspect", "."]) == 130
    assert capsys.readouterr() == ("", "ended by SIGINT.\n")


def test_without_an_output_the_exit_code_remains(archive, monkeypatch):
    """As in 'inspect archive >&-'."""
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["inspect", str(archive), "--min-size", "32"]) == 3


def test_sheet_shows_what_a_bundle_is_given(capsys, tmp_path):
    folder = tmp_path / "DOE_JANE"
    folder.mkdir()
    stored = np.zeros((52, 104), np.uint8)
    stored[:, :52] = 200
    save(
        folder / "a.dcm", make_dataset(stored, "MONOCHROME1", SequenceOfUltrasoundRegions=[make_region((0, 0, 51, 51))])
    )
    (folder / "b.dcm").write_bytes(b"ZZCANARY" * 50)
    Image.fromarray(np.full((20, 20), 102, np.uint8)).save(folder / "c.png")
    Image.fromarray(np.full((40, 40), 51, np.uint8)).save(folder / "d.png")
    sheet = tmp_path / "sheet.png"
    assert main(["inspect", str(folder), "--sheet", str(sheet), "--sheet-limit", "3"]) == 3
    page = np.asarray(Image.open(sheet).convert("RGB"))
    fields = [page[MARGIN + 40 :, MARGIN + n * (TILE + GAP) :][:TILE, :TILE] for n in range(3)]
    assert (fields[0] == 55).all()  # cropped to the left half, then inverted
    assert (fields[1] == fields[1][0, 0]).all(axis=2).mean() > 0.8  # a code on an even field
    assert (fields[2] == 102).all()  # too small, but there is a picture to show
    assert page.shape[1] == max(640, 2 * MARGIN + 3 * (TILE + GAP) - GAP)
    assert not CANARY.search(sheet.read_bytes().decode("latin-1"))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["DOE_JANE", "sheet.png"]
    assert not CANARY.search(capsys.readouterr().out.replace(str(folder), ""))


def test_sheet_draws_no_name(tmp_path, monkeypatch, gray, capsys):
    """Letters in pixels cannot be searched, so what is drawn is watched instead."""
    drawn: list[str] = []
    for method in ("text", "multiline_text"):
        original = getattr(sys.modules["PIL.ImageDraw"].ImageDraw, method)

        def watch(self: Any, xy: Any, text: str, *rest: Any, original: Any = original, **more: Any) -> Any:
            drawn.append(text)
            return original(self, xy, text, *rest, **more)

        monkeypatch.setattr(f"PIL.ImageDraw.ImageDraw.{method}", watch)
    folder = tmp_path / "ZZCANARY_JANE"
    folder.mkdir()
    cine = np.stack([gray, gray])
    save(folder / "ZZCANARY.dcm", make_dataset(cine, Modality="ZZCANARY"))
    save(folder / "JANE.dcm", make_dataset(gray, "ZZCANARY"))
    main(["inspect", str(folder), "--sheet", str(tmp_path / "sheet.png")])
    text = " ".join(drawn)
    assert "unsupported\nphotometric" in text and "other  MONOCHROME2" in text and "40 x 50   2 frames" in text
    assert not CANARY.search(text)


def test_a_sheet_that_cannot_be_written_leaves_the_old_one(tmp_path, gray, capsys, monkeypatch):
    path = save(tmp_path / "a.dcm", make_dataset(gray))
    (tmp_path / "sheet.png").write_bytes(b"old")
    monkeypatch.setattr(
        "monai_anomaly.apps.inspection.contact_sheet.ContactSheet.save", _raise(OSError(28, "No space left"))
    )
    assert main(["inspect", path, "--sheet", str(tmp_path / "sheet.png")]) == 1
    assert (tmp_path / "sheet.png").read_bytes() == b"old"


def _command(*arguments: Any) -> list[str]:
    return [sys.executable, "-m", "monai_anomaly", "inspect", *map(str, arguments)]


def test_a_pipe_closed_early(archive, gray):
    """More lines than a pipe holds, of which the reader takes one."""
    for index in range(400):
        (archive / f"{index:0200d}.dcm").touch()
    process = subprocess.Popen(_command(archive), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline().split()[:2] == [b"#", b"status"]
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 141


def test_nothing_but_records_on_the_standard_output(tmp_path, key_file):
    """Libraries that warn, in Python and from C, in a process whose terminal knows ASCII only."""
    for name in ("examples_ybr_color.dcm", "badVR.dcm", "meta_missing_tsyntax.dcm", "MR_truncated.dcm"):
        shutil.copy(str(get_testdata_file(name, download=False)), tmp_path / name)
    noise = np.random.default_rng(6).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.tif", compression="tiff_lzw")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[1000:1050] = b"\xff" * 50
    (tmp_path / "damaged.tif").write_bytes(data)
    transparent = Image.new("P", (40, 40))
    transparent.save(tmp_path / "b.png", transparency=bytes([0] * 256))
    (tmp_path / "caf\xe9.dcm").touch()
    warning = {"PYTHONWARNINGS": "always", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(_command(tmp_path, "--json"), capture_output=True, env=os.environ | warning, check=False)
    assert done.returncode == 3
    records = [json.loads(line) for line in done.stdout.decode("ascii").splitlines()]
    assert len(records) == 8 and {r["status"] for r in records} == {"read", "refused"}
    lines = [line for line in done.stderr.decode("ascii").splitlines() if line and not line.startswith("  ")]
    assert lines == [f"8 files: {sum(r['status'] == 'read' for r in records)} read, {lines[0].split()[4]} refused"]


def _raise(error: BaseException) -> Any:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_masks_and_files_of_the_system_are_passed_over_and_counted(capsys, tmp_path, gray):
    for name in ("a.png", "a_mask.png", "masks/b.png", "b.png", "@eaDir/a.png/SYNOFILE_THUMB_M.png", "._a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((gray >> 8).astype(np.uint8)).save(tmp_path / name)
    assert main(["inspect", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "2 files: 2 read, 0 refused" in text
    assert "      2  masks and other helper files of images\n" in text
    assert "      2  files and folders of the system (hidden ones, thumbnails, bins)\n" in text
    record = inspect_one(capsys, tmp_path / "a_mask.png")  # which was asked for
    assert record["status"] == "read"


def test_the_home_folder_may_be_written_short(capsys, tmp_path, gray, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    Image.fromarray((gray >> 8).astype(np.uint8)).save(tmp_path / "a.png")
    assert main(["inspect", "~/a.png", "--sheet", "~/sheet.png"]) == 0
    assert (tmp_path / "sheet.png").is_file()
