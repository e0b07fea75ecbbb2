# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Maps and overlays of real files, through the writer."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from monai_anomaly.data.sets.records import RecordDataset
from monai_anomaly.handlers.scoring import picture_files
from monai_anomaly.handlers.scoring.inference_writer import InferenceWriter
from monai_anomaly.handlers.scoring.record_file import read_records
from monai_anomaly.report.overlay import OUTLINE, draw_overlay
from monai_anomaly.scoring import source_pictures
from monai_anomaly.scoring.source_pictures import SourcePictures
from monai_anomaly.transforms.preprocessing import Preprocessing
from monai_anomaly.transforms.source_map import map_on_source
from tests.helpers.dicom_files import make_dataset
from tests.helpers.stub_evaluator import make_evaluator

RNG = np.random.default_rng(0)
RANGE = (0.0, 2.0)
SEEN = np.random.default_rng(1).integers(0, 256, (48, 90), dtype=np.uint8)


def _infer(folder, files, *, network=None, **options):
    """Score files as an inference does; the records, and the network's image and map of each."""
    preprocessing = Preprocessing(image_size=16)
    items = [{"image": str(path), "name": path.name, "index": i} for i, path in enumerate(files)]
    sources = SourcePictures(items, preprocessing.reader)
    writer = InferenceWriter(folder, RANGE, **{"overlays": True, "sources": sources, **options})
    make_evaluator(RecordDataset(items, preprocessing, preprocessing.image_shape), [writer], network=network).run()
    lines = (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()
    images = [preprocessing({"image": str(path)})["image"] for path in files if path.is_file()]
    return [json.loads(line) for line in lines], [2 * image[0].numpy() for image in images]


def _png(path, pixels=SEEN):
    Image.fromarray(pixels).save(path)
    return path


def _ultrasound(path, pixels):
    """Write a screen of which the rows 10 to 58 and the columns 20 to 110 are the picture."""
    region = {
        "RegionLocationMinX0": 20,
        "RegionLocationMinY0": 10,
        "RegionLocationMaxX1": 109,
        "RegionLocationMaxY1": 57,
    }
    item = Dataset()
    for name, value in (region | {"RegionSpatialFormat": 1, "RegionDataType": 1, "RegionFlags": 0}).items():
        setattr(item, name, value)
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = item.PhysicalDeltaY = 0.01
    make_dataset(pixels, SequenceOfUltrasoundRegions=[item]).save_as(path, enforce_file_format=True)
    return path


def test_map_and_overlay_have_the_size_of_the_picture(tmp_path):
    (record,), (anomaly_map,) = _infer(tmp_path / "out", [_png(tmp_path / "a.png")])
    assert record["source_shape"] == record["overlay_shape"] == [48, 90] and record["box"] == [0, 0, 90, 48]
    source_map = map_on_source(anomaly_map, (48, 90), (0, 0, 90, 48))
    indices = np.asarray(Image.open(tmp_path / "out" / record["map"])).astype(float)
    assert np.abs((indices - 1) / 254 * 2 - source_map).max() <= 1 / 254 + 1e-5
    drawn = np.asarray(Image.open(tmp_path / "out" / record["overlay"]))
    assert np.array_equal(drawn, draw_overlay(SEEN[None] / np.float32(255), source_map, RANGE))
    assert record["warnings"] is None


def test_of_a_screen_the_box_alone_has_a_map_and_an_edge(tmp_path):
    screen = RNG.integers(0, 256, (70, 130), dtype=np.uint8)
    (record,), _ = _infer(tmp_path / "out", [_ultrasound(tmp_path / "a.dcm", screen)])
    assert record["source_shape"] == [70, 130] and record["box"] == [20, 10, 110, 58]
    seen = np.asarray(Image.open(tmp_path / "out" / record["map"])) > 0
    expected = np.zeros((70, 130), dtype=bool)
    expected[10:58, 20:110] = True
    assert np.array_equal(seen, expected)
    drawn = np.asarray(Image.open(tmp_path / "out" / record["overlay"]))
    assert np.all(drawn[9, 20:110] == OUTLINE) and np.all(drawn[9, 111:] == screen[9, 111:, None])


def test_npz_and_nifti_and_none(tmp_path):
    files = [_png(tmp_path / "a.png")]
    (record,), (anomaly_map,) = _infer(tmp_path / "npz", files, maps="npz", overlays=False)
    source_map = map_on_source(anomaly_map, (48, 90), (0, 0, 90, 48))
    with np.load(tmp_path / "npz" / record["map"], allow_pickle=False) as archive:
        np.testing.assert_allclose(archive["map"], source_map, atol=1e-6)
        assert record["score"] == pytest.approx(float(archive["network_map"].mean(dtype=np.float64)))
    (record,), _ = _infer(tmp_path / "nifti", files, maps="nifti", overlays=False)
    image = nib.load(tmp_path / "nifti" / record["map"])
    np.testing.assert_allclose(np.asarray(image.dataobj)[..., 0].T, source_map, atol=1e-6)
    assert record["overlay"] is record["overlay_shape"] is None
    (record,), _ = _infer(tmp_path / "none", files, maps="none", overlays=False)
    assert record["map"] is None and record["score"] > 0
    assert sorted(os.listdir(tmp_path / "none")) == ["index.html", "predictions.csv", "records.jsonl", "run.json"]


def test_a_nifti_map_lies_over_its_nifti_source(tmp_path):
    affine = np.array([[0, 0.3, 0, 5], [-0.2, 0, 0, -7], [0, 0, 2, 11], [0, 0, 0, 1]], dtype=float)
    nib.save(nib.Nifti1Image(np.ascontiguousarray(SEEN.T), affine), tmp_path / "a.nii.gz")
    (record,), (anomaly_map,) = _infer(tmp_path / "out", [tmp_path / "a.nii.gz"], maps="nifti")
    image = nib.load(tmp_path / "out" / record["map"])
    np.testing.assert_allclose(image.affine, affine, atol=1e-6)
    source_map = map_on_source(anomaly_map, (48, 90), (0, 0, 90, 48))
    np.testing.assert_allclose(np.asarray(image.dataobj)[..., 0].T, source_map, atol=1e-6)


def test_a_huge_picture_has_a_smaller_overlay_and_the_record_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_files, "LONGEST_OVERLAY", 45)
    (record,), _ = _infer(tmp_path / "out", [_png(tmp_path / "a.png")])
    assert record["source_shape"] == [48, 90] and record["overlay_shape"] == [24, 45]
    assert Image.open(tmp_path / "out" / record["overlay"]).size == (45, 24)
    assert Image.open(tmp_path / "out" / record["map"]).size == (90, 48)


@pytest.mark.parametrize("room", [2**28, 0])
def test_a_picture_that_is_kept_is_not_decoded_again(tmp_path, monkeypatch, room):
    monkeypatch.setattr(source_pictures, "KEPT_BYTES", room)
    files = [_png(tmp_path / f"{name}.png", np.roll(SEEN, number)) for number, name in enumerate("abc")]
    preprocessing, asked = Preprocessing(image_size=16), []
    ask = preprocessing.reader._ask
    preprocessing.reader._ask = lambda *rest, **more: asked.append(rest[1]) or ask(*rest, **more)
    items = [{"image": str(path), "name": path.name, "index": i} for i, path in enumerate(files)]
    writer = InferenceWriter(
        tmp_path / "out", RANGE, overlays=True, sources=SourcePictures(items, preprocessing.reader)
    )
    make_evaluator(RecordDataset(items, preprocessing, preprocessing.image_shape), [writer]).run()
    assert sorted(asked) == sorted([str(path) for path in files] * (1 if room else 2))
    for record, pixels in zip(read_records(tmp_path / "out" / "records.jsonl"), range(3), strict=True):
        drawn = np.asarray(Image.open(tmp_path / "out" / record["overlay"])).astype(float)
        assert np.corrcoef(drawn.mean(axis=2).ravel(), np.roll(SEEN, pixels).ravel())[0, 1] > 0.9


def test_a_cine_shows_the_frame_that_the_record_names(tmp_path):
    frames = np.stack([np.full((48, 90), value, np.uint8) for value in (10, 200, 30)])
    frames[:, 0, 0] = 0  # or a frame is constant
    make_dataset(frames, NumberOfFrames=3).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    preprocessing = Preprocessing(image_size=16)
    item = {"image": str(tmp_path / "a.dcm"), "name": "a.dcm", "index": 0}
    expanded = [item | {"frame": frame, "study_frames": 3} for frame in range(3)]
    writer = InferenceWriter(
        tmp_path / "out", RANGE, overlays=True, sources=SourcePictures([item], preprocessing.reader)
    )
    make_evaluator(RecordDataset(expanded, preprocessing, preprocessing.image_shape), [writer]).run()
    record = json.loads((tmp_path / "out" / "records.jsonl").read_text())
    assert record["frame"] == 1
    drawn = np.asarray(Image.open(tmp_path / "out" / record["overlay"])).astype(int)
    assert drawn[20, 20].mean() > 100  # of the bright frame


def test_an_overlay_that_cannot_be_made_costs_neither_record_nor_map(tmp_path, caplog):
    files = [_png(tmp_path / f"{name}.png") for name in "abc"]

    class Sources(SourcePictures):
        def read(self, index, frame, source_shape):
            if index == 1:
                files[1].unlink()
            if index == 2:
                raise KeyError("a fault of ours")
            return super().read(index, frame, source_shape)

    items = [{"image": str(path), "index": i} for i, path in enumerate(files)]
    records, _ = _infer(tmp_path / "out", files, sources=Sources(items, Preprocessing().reader))
    assert [record["status"] for record in records] == ["scored"] * 3
    assert [record["overlay"] is not None for record in records] == [True, False, False]
    assert all((tmp_path / "out" / record["map"]).is_file() for record in records)
    assert records[1]["warnings"] == "no overlay: the file does not exist; correct the path or remove the entry."
    assert records[2]["warnings"] == "no overlay: KeyError"
    assert "Of 2 files a picture could not be written" in caplog.text


def test_an_overlay_without_room_on_the_disk_is_no_half_file(tmp_path, monkeypatch):
    write_bytes = Path.write_bytes

    def full_disk(path, data):
        if path.parent.name == "overlays":
            write_bytes(path, data[:10])
            raise OSError(28, "No space left on device")
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    (record,), _ = _infer(tmp_path / "out", [_png(tmp_path / "a.png")])
    assert record["overlay"] is record["overlay_shape"] is None
    assert record["warnings"] == "no overlay: No space left on device"
    assert not (tmp_path / "out" / "overlays").exists() and not list(tmp_path.rglob("partial-*"))


def test_what_cannot_be_had_is_refused(tmp_path):
    with pytest.raises(ValueError, match="maps must be one of none, png, npz, nifti, got 'jpg'"):
        InferenceWriter(tmp_path, maps="jpg")
    with pytest.raises(ValueError, match="overlays need the source pictures"):
        InferenceWriter(tmp_path, overlays=True)
    with pytest.raises(ValueError, match="gallery must be the number of images"):
        InferenceWriter(tmp_path, gallery=-1)


@pytest.mark.skipif(os.name == "nt", reason="symbolic links")
def test_a_folder_of_overlays_that_leads_elsewhere_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "000000_a.png").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "overlays").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="link out of the output folder"):
        _infer(tmp_path / "out", [_png(tmp_path / "a.png")], overlays=False)
    assert os.listdir(tmp_path / "elsewhere") == ["000000_a.png"]
