# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from monai_anomaly.dicom_results import DicomResultError, DicomResults, ResultObject
from monai_anomaly.dicom_results.capture import draw_capture, make_capture
from monai_anomaly.dicom_results.dicom_results import DESCRIPTIONS
from monai_anomaly.dicom_results.draft import Draft
from monai_anomaly.dicom_results.regions import MOST_CORNERS, find_regions
from monai_anomaly.dicom_results.segmentation import fractions_of, make_segmentation
from monai_anomaly.dicom_results.source_header import read_source
from monai_anomaly.dicom_results.structured_report import make_report
from monai_anomaly.dicom_results.template import Template
from monai_anomaly.report.overlay import draw_overlay
from monai_anomaly.scoring.result import Result
from monai_anomaly.transforms.source_map import mask_of
from tests.dicom_results.test_dicom_results import CINE, MODEL, STILLS, result_of, source_of

RESULTS: dict[str, dict[str, object]] = {
    "anomalous": {},
    "normal": {"decision": "normal", "score": 1 / 3, "p_value": 2 / 3, "decision_reason": ""},
    "uncalibrated": {"decision": "uncalibrated", "p_value": None, "threshold": None, "false_alarm_rate": None},
    "two_regions": {"threshold": 1e-7, "decision_reason": "An odd word."},
}


def built(source: Dataset | str, result: Result, picture: np.ndarray) -> list[ResultObject]:
    """What highdicom builds of this very image, without a template."""
    header = read_source(source)

    def draft(kind: str) -> Draft:
        return Draft(kind, header, MODEL, DESCRIPTIONS[kind])

    assert result.anomaly_map is not None and result.box is not None
    anomalous = result.decision == "anomalous"
    regions = find_regions(result.anomaly_map, result.threshold or 0.0, result.box) if anomalous else []
    overlay = draw_overlay(picture, result.map_on_source, MODEL.map_range)
    objects = [
        make_report(draft("sr"), result, regions),
        make_capture(draft("sc"), result, draw_capture(overlay, result, several=header.frames > 1)),
    ]
    if header.frames == 1:
        objects.append(make_segmentation(draft("seg"), result, fractions_of(result.map_on_source, MODEL.map_range)))
        if result.threshold is not None:
            mask = mask_of(result.map_on_source, result.threshold)
            objects.append(make_segmentation(draft("seg_binary"), result, mask))
    return objects


def result_and_picture(name: str, changes: dict[str, object]) -> tuple[Result, np.ndarray]:
    result = result_of(name, **changes)
    if changes.get("threshold"):
        two = np.zeros((32, 32), np.float32)
        two[2:5, 3:9], two[20:30, 20:22] = 1.2, 0.7
        result = result_of(name, **changes, anomaly_map=two)
    assert result.source_shape is not None
    return result, np.random.default_rng(0).random((1, *result.source_shape), dtype=np.float32)


@pytest.mark.parametrize("said", RESULTS)
@pytest.mark.parametrize("name", [*STILLS, CINE])
def test_filled_objects_are_those_that_highdicom_builds(name, said):
    makers = DicomResults(MODEL)
    changes = {**RESULTS[said], "frame": 7 if name == CINE else 0}
    result, picture = result_and_picture(name, changes)
    assert list(makers.make(source_of(name), result, picture=picture)) == built(source_of(name), result, picture)


def test_elements_of_the_header_come_into_filled_objects():
    """One set of templates; sources that have elements, have others, and have not."""
    makers = DicomResults(MODEL)
    name = "examples_rgb_color.dcm"
    result, picture = result_and_picture(name, {})
    for changes in (
        {
            "SpecificCharacterSet": "ISO_IR 192",
            "PatientName": "山田^太郎",
            "StudyDescription": "odd",
            "PatientSex": "F",
        },
        {
            "ImageLaterality": "R",
            "PatientOrientation": ["L", "F"],
            "BurnedInAnnotation": "NO",
            "InstanceNumber": 123456,
        },
        {"Modality": "XA", "ContentDate": "20200102", "ContentTime": "030405.678", "StudyInstanceUID": "1.2.34.5"},
        {
            "PatientName": "",
            "PatientID": "x" * 63,
            "SOPInstanceUID": "1.2.3",
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.6",
        },
    ):
        source = dcmread(source_of(name), stop_before_pixels=True)
        for keyword in ("ContentDate", "AcquisitionDate", "StudyDate", "SeriesDate"):
            if keyword in source:
                delattr(source, keyword)
        source.update(_dataset(changes))
        assert list(makers.make(source, result, picture=picture)) == built(source, result, picture)
    assert len(makers._templates) == 4  # all of them were filled into the same


def test_sizes_need_no_template_of_their_own():
    makers = DicomResults(MODEL, ["sc", "seg"])
    for rows, columns in ((3, 5), (4, 4), (70, 41)):
        source = dcmread(source_of("examples_rgb_color.dcm"), stop_before_pixels=True)
        source.Rows, source.Columns = rows, columns
        result, picture = result_and_picture(
            "examples_rgb_color.dcm", {"source_shape": (rows, columns), "box": (0, 0, columns, rows)}
        )
        assert list(makers.make(source, result, picture=picture)) == built(source, result, picture)[1:]
    assert len(makers._templates) == 3


def test_place_in_a_frame_of_reference_is_in_the_form():
    makers = DicomResults(MODEL, ["seg"])
    result, picture = result_and_picture("CT_small.dcm", {})
    for height in ("-75.7", "12.5"):
        source = dcmread(source_of("CT_small.dcm"), stop_before_pixels=True)
        source.ImagePositionPatient = ["-158.1", "-179.0", height]
        assert list(makers.make(source, result, picture=picture)) == built(source, result, picture)[2:]
    assert len(makers._templates) == 4


def test_value_that_was_not_built_is_an_error():
    result, picture = result_and_picture("CT_small.dcm", {})
    report = built(source_of("CT_small.dcm"), result, picture)[0]
    with pytest.raises(ValueError, match=r"has no element with the values \['b'\]"):
        Template(report, {"own": report.sop_instance_uid.encode(), "b": b"of nobody"})


def test_polygon_has_no_more_corners_than_an_element_holds():
    comb = np.zeros((256, 256), np.float32)
    comb[1:-1:2, 1:-1] = 1.0
    comb[:, 127:129] = 1.0
    (largest, *_) = find_regions(comb, 0.5, (0, 0, 256, 256))
    assert 200 < len(largest.polygon) <= MOST_CORNERS + 1
    assert np.array_equal(largest.polygon[0], largest.polygon[-1])


def test_identity_that_no_element_holds_is_an_error_by_name():
    source = dcmread(source_of("CT_small.dcm"), stop_before_pixels=True)
    source.StudyDescription = "x" * 60_001
    with pytest.raises(DicomResultError, match=r"\(0008,1030\) Study Description is too long"):
        read_source(source)


def _dataset(values: dict[str, object]) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset
