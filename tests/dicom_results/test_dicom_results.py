# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
import io
import logging
import shutil
import subprocess
import warnings

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.dicom_results import DicomResultError, DicomResults, ModelIdentity
from monai_anomaly.scoring.result import Result

MODEL = ModelIdentity(
    "SEPIAD", "0.1.0", "a" * 64, "b" * 64, (0.0, 2.0), "30 held-out normals of 30 patients", "20260102"
)
STILLS = ("examples_rgb_color.dcm", "examples_palette.dcm", "ExplVR_BigEnd.dcm", "CT_small.dcm")
CINE = "examples_ybr_color.dcm"


def source_of(name: str) -> str:
    return str(get_testdata_file(name, download=False))


def result_of(name: str, **changes: object) -> Result:
    """A result with a bump of 1.5 on 0.1 in the left upper quarter of the map."""
    picture = ClinicalImageReader(channels=None, crop_region=False).read(source_of(name), None)
    rows, columns = picture.pixels.shape[1:]
    anomaly_map = np.full((32, 32), 0.1, np.float32)
    anomaly_map[4:12, 6:10] = 1.5
    known: dict[str, object] = {
        "score": 0.9,
        "p_value": 0.02,
        "decision": "anomalous",
        "decision_reason": "The score is not below 0.8.",
        "threshold": 0.8,
        "false_alarm_rate": 0.1,
        "map_range": (0.0, 2.0),
        "source_shape": (rows, columns),
        "box": (columns // 4, 0, columns, rows),
        "anomaly_map": anomaly_map,
        "image": np.zeros((1, 32, 32), np.float32),
    }
    return Result(name=name, status="scored", **{**known, **changes})  # type: ignore[arg-type]


def made_of(name: str, source: Dataset | str | None = None, model: ModelIdentity = MODEL, **changes: object) -> dict:
    picture = ClinicalImageReader(channels=None, crop_region=False).read(source_of(name), changes.get("frame")).pixels
    objects = DicomResults(model).make(source or source_of(name), result_of(name, **changes), picture=picture)
    return {made.kind: made for made in objects}


def read(made) -> Dataset:
    return dcmread(io.BytesIO(made.content))


def items_of(document: Dataset) -> list[Dataset]:
    found = []
    for item in document.get("ContentSequence", []):
        found += [item, *items_of(item)]
    return found


@pytest.fixture(scope="module")
def rgb() -> dict:
    return made_of("examples_rgb_color.dcm")


def test_report_says_score_p_value_decision_threshold_and_algorithm(rgb):
    document = hd.sr.srread(io.BytesIO(rgb["sr"].content))
    assert document.VerificationFlag == "UNVERIFIED"
    group = document.content.get_image_measurement_groups()[0]
    numbers = {m.name.value: m.value for m in group.get_measurements()}
    assert numbers == {"score": 0.9, "p_value": 0.02, "threshold": 0.8, "false_alarm_rate": 0.1}
    assert "anomalous" in [evaluation.value.value for evaluation in group.get_qualitative_evaluations()]
    texts = [str(item.TextValue) for item in items_of(document) if item.ValueType == "TEXT"]
    assert "The score is not below 0.8." in texts and "weights SHA-256 " + "a" * 64 in texts
    assert any("30 held-out normals" in text for text in texts)
    source = dcmread(source_of("examples_rgb_color.dcm"), stop_before_pixels=True)
    assert {evidence[2] for evidence in document.get_evidence()} == {source.SOPInstanceUID}
    assert {evidence[3] for evidence in document.get_evidence()} == {source.SOPClassUID}


def test_polygon_runs_around_the_bump_inside_the_box(rgb):
    (region,) = [item for item in items_of(read(rgb["sr"])) if item.ValueType == "SCOORD"]
    polygon = np.reshape(region.GraphicData, (-1, 2))
    rows, columns = 240, 320
    x0, width = columns / 4, columns * 3 / 4
    assert np.array_equal(polygon[0], polygon[-1])
    left, right = x0 + 6 / 32 * width, x0 + 10 / 32 * width
    top, bottom = 4 / 32 * rows, 12 / 32 * rows
    pixel = width / 32
    assert abs(polygon[:, 0].min() - left) < pixel and abs(polygon[:, 0].max() - right) < pixel
    assert abs(polygon[:, 1].min() - top) < pixel and abs(polygon[:, 1].max() - bottom) < pixel


def test_retired_class_is_referred_to_as_it_is():
    source = dcmread(source_of("examples_rgb_color.dcm"), stop_before_pixels=True)
    source.SOPClassUID = "1.2.840.10008.5.1.4.1.1.6"
    objects = made_of("examples_rgb_color.dcm", source)
    (reference,) = [item for item in items_of(read(objects["sr"])) if item.ValueType == "IMAGE"][:1]
    assert reference.ReferencedSOPSequence[0].ReferencedSOPClassUID == source.SOPClassUID
    assert len([item for item in items_of(read(objects["sr"])) if item.ValueType == "SCOORD"]) == 1


def test_normal_image_has_no_region():
    document = read(made_of("examples_rgb_color.dcm", decision="normal")["sr"])
    assert not [item for item in items_of(document) if item.ValueType == "SCOORD"]


@pytest.mark.parametrize("name", STILLS)
def test_map_comes_back_within_half_a_step(name):
    objects = made_of(name)
    segmentation = hd.seg.segread(io.BytesIO(objects["seg"].content))
    stored = segmentation.get_total_pixel_matrix() if segmentation.is_tiled else read(objects["seg"]).pixel_array
    expected = np.nan_to_num(result_of(name).map_on_source, nan=0.0) / 2.0
    assert np.abs(stored / 255 - expected).max() <= 1 / 510 + 1e-6
    mask = read(objects["seg_binary"]).pixel_array
    assert np.array_equal(mask == 1, np.nan_to_num(result_of(name).map_on_source, nan=-1.0) >= 0.8)


def test_capture_has_the_source_size_and_refers_to_the_source(rgb):
    capture, source = read(rgb["sc"]), dcmread(source_of("examples_rgb_color.dcm"), stop_before_pixels=True)
    assert capture.pixel_array.shape == (240, 320, 3)
    assert list(capture.ImageType) == ["DERIVED", "SECONDARY"] and capture.Modality == "US"
    (reference,) = capture.SourceImageSequence
    assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID and "ReferencedFrameNumber" not in reference
    assert "Research use" in capture.DerivationDescription
    assert ("BurnedInAnnotation" in capture) == ("BurnedInAnnotation" in source)


@pytest.mark.parametrize("said", ["YES", "NO", ""])
def test_burned_in_annotation_is_what_the_source_says(said):
    source = dcmread(source_of("examples_rgb_color.dcm"), stop_before_pixels=True)
    if said:
        source.BurnedInAnnotation = said
    assert read(made_of("examples_rgb_color.dcm", source)["sc"]).get("BurnedInAnnotation", "") == said


def test_cine_has_report_and_capture_of_the_frame_that_decided():
    objects = made_of(CINE, frame=7)
    assert list(objects) == ["sr", "sc"]
    assert read(objects["sc"]).SourceImageSequence[0].ReferencedFrameNumber == 8
    frames = {
        item.ReferencedSOPSequence[0].ReferencedFrameNumber
        for item in items_of(read(objects["sr"]))
        if item.ValueType == "IMAGE"
    }
    assert frames == {8}


def test_same_input_gives_the_same_bytes_and_another_model_other_objects():
    first, again = made_of("examples_palette.dcm"), made_of("examples_palette.dcm")
    assert [made.content for made in first.values()] == [made.content for made in again.values()]
    uncalibrated = {"p_value": None, "threshold": None, "false_alarm_rate": None, "decision": "uncalibrated"}
    for changes in ({"weights": "c" * 64}, {"calibration": "d" * 64}):
        other = made_of("examples_palette.dcm", model=dataclasses.replace(MODEL, **changes))
        assert not {m.sop_instance_uid for m in first.values()} & {m.sop_instance_uid for m in other.values()}
        assert read(other["sr"]).SeriesInstanceUID != read(first["sr"]).SeriesInstanceUID
    assert list(made_of("examples_palette.dcm", **uncalibrated)) == ["sr", "sc", "seg"]


def test_kinds_have_series_of_their_own(rgb):
    source = dcmread(source_of("examples_rgb_color.dcm"), stop_before_pixels=True)
    datasets = [read(made) for made in rgb.values()]
    assert len({source.SeriesInstanceUID, *(ds.SeriesInstanceUID for ds in datasets)}) == 5
    assert {ds.StudyInstanceUID for ds in datasets} == {source.StudyInstanceUID}
    assert all(ds.SeriesNumber >= 10_000 for ds in datasets)


NAMES = [("ISO_IR 100", "Müller^Jörg"), ("ISO_IR 192", "山田^太郎")]
NAMES.append((["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"))


@pytest.mark.parametrize(("charset", "name"), NAMES)
def test_names_come_back_and_are_in_no_log_and_no_warning(charset, name, caplog, capfd):
    source = dcmread(source_of("examples_rgb_color.dcm"), stop_before_pixels=True)
    source.SpecificCharacterSet, source.PatientName = charset, name
    source.PatientSex, source.PatientBirthDate = "DOE_JANE", "DOE_JANE"
    caplog.clear()  # pydicom warned of the lines before
    capfd.readouterr()  # also through handlers that other tests have left
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        objects = made_of("examples_rgb_color.dcm", source)
    for made in objects.values():
        assert str(read(made).PatientName) == name
        assert read(made).PatientSex == ""
    said = caplog.text + "".join(str(w.message) for w in caught) + "".join(capfd.readouterr())
    assert "DOE_JANE" not in said and name not in said


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_missing_uid_is_an_error_by_name(keyword):
    source = dcmread(source_of("examples_rgb_color.dcm"), stop_before_pixels=True)
    delattr(source, keyword)
    with pytest.raises(DicomResultError, match=r"\([0-9A-F]{4},[0-9A-F]{4}\) .* Instance UID is missing"):
        made_of("examples_rgb_color.dcm", source)


def test_absent_type_2_attributes_are_empty():
    source = dcmread(source_of("examples_rgb_color.dcm"), stop_before_pixels=True)
    keywords = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime")
    for keyword in (*keywords, "AccessionNumber", "ReferringPhysicianName"):
        if keyword in source:
            delattr(source, keyword)
    for made in made_of("examples_rgb_color.dcm", source).values():
        assert all(read(made)[keyword].is_empty for keyword in keywords)


def test_other_sources_and_results_are_refused(tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    with pytest.raises(DicomResultError, match="no DICOM"):
        made_of("examples_rgb_color.dcm", str(picture))
    with pytest.raises(DicomResultError, match="another size"):
        made_of("examples_rgb_color.dcm", source_shape=(8, 8))
    with pytest.raises(DicomResultError, match="no score"):
        DicomResults(MODEL).make(source_of(CINE), Result(name="x", status="rejected"))
    with pytest.raises(ValueError, match="kinds"):
        DicomResults(MODEL, ("pdf",))


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian's dicom3tools) is not installed")
@pytest.mark.parametrize("name", [*STILLS, CINE])
def test_dciodvfy_finds_no_error(name, tmp_path):
    for made in made_of(name).values():
        file = tmp_path / f"{made.kind}.dcm"
        file.write_bytes(made.content)
        said = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, errors="replace")
        lines = (said.stdout + said.stderr).splitlines()
        assert [line for line in lines if line.startswith("Error")] == []
