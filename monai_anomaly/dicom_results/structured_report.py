# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What was found, as a structured report after the template TID 1500."""

from __future__ import annotations

import struct
from typing import Any

from highdicom.sr import (
    AlgorithmIdentification,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    ImageRegion,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TextContentItem,
    TrackingIdentifier,
)
from highdicom.sr.coding import CodedConcept
from pydicom.sr.codedict import codes
from pydicom.valuerep import DS

from monai_anomaly.dicom_results import concepts
from monai_anomaly.dicom_results.draft import MANUFACTURER, Draft
from monai_anomaly.dicom_results.regions import Region
from monai_anomaly.dicom_results.result_object import ResultObject
from monai_anomaly.dicom_results.template import Filling
from monai_anomaly.scoring.result import Result

__all__ = ["fill_report", "make_report"]


def make_report(draft: Draft, result: Result, regions: list[Region]) -> ResultObject:
    """Return score, p-value, decision and reason, threshold and false-alarm rate, and the regions of an anomaly.

    It is complete, preliminary and unverified: nobody has looked at it.

    Args:
        draft: of kind ``"sr"``.
        result: that was scored.
        regions: of an anomaly.
    """
    groups: list[Any] = [_image_group(draft, result)]
    groups += [_region_group(draft, result, region, n) for n, region in enumerate(regions, start=1)]
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=_observer(draft)),
        procedure_reported=concepts.IMAGING_PROCEDURE,
        imaging_measurements=groups,
    )
    document = ComprehensiveSR(
        evidence=[draft.source.reference()],
        content=report[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        coding_schemes=[concepts.private_scheme()],
        **draft.arguments(),
    )
    return draft.finish(document)


def fill_report(draft: Draft, result: Result, regions: list[Region]) -> Filling:
    """Return what a report has of its own.

    Args:
        draft, result, regions: as of :func:`make_report`.
    """
    blanks = {**draft.blanks(), "series": draft.source.series.encode(), "image": _tracking_uid(draft, "image").encode()}
    numbers = _numbers(result)
    for name, value in numbers:
        blanks |= _number_blanks(str(name.value), value)
    for number, region in enumerate(regions, start=1):
        what = f"region {number}"
        blanks[what] = _tracking_uid(draft, what).encode()
        blanks[f"{what} polygon"] = region.polygon.astype("<f4").tobytes()
        blanks |= _number_blanks(f"{what} area", _share(region))
    if result.decision_reason:
        blanks["reason"] = result.decision_reason.encode("ascii")
    frames = _frame_numbers(draft, result)
    if frames is not None:
        blanks["frame"] = str(frames[0]).encode()
    form = (result.decision, draft.source.frames > 1, frozenset(blanks))
    return Filling(form, blanks, draft.elements())


def _number_blanks(name: str, value: float) -> dict[str, bytes]:
    """Return a number as text and as it is."""
    return {f"{name} text": str(DS(value, auto_format=True)).encode(), name: struct.pack("<d", value)}


def _numbers(result: Result) -> list[tuple[CodedConcept, float]]:
    numbers = (
        (concepts.SCORE, result.score),
        (concepts.P_VALUE, result.p_value),
        (concepts.THRESHOLD, result.threshold),
        (concepts.FALSE_ALARM_RATE, result.false_alarm_rate),
    )
    return [(name, float(value)) for name, value in numbers if value is not None]


def _share(region: Region) -> float:
    return round(region.share, 6)


def _observer(draft: Draft) -> ObserverContext:
    model = draft.model
    device = DeviceObserverIdentifyingAttributes(
        uid=model.uid("device"),
        name=f"{MANUFACTURER} {model.name}",
        manufacturer_name=MANUFACTURER,
        model_name=model.name,
        serial_number=model.weights,
    )
    return ObserverContext(codes.DCM.Device, device)


def _image_group(draft: Draft, result: Result) -> MeasurementsAndQualitativeEvaluations:
    """Return what is said of the whole image, or of the whole cine."""
    decision = QualitativeEvaluation(concepts.DECISION, concepts.DECISIONS[str(result.decision)])
    group = MeasurementsAndQualitativeEvaluations(
        _tracking(draft, "image"),
        finding_type=concepts.ANOMALY,
        algorithm_id=_algorithm(draft, result),
        measurements=[Measurement(name, value, concepts.NO_UNITS) for name, value in _numbers(result)],
        qualitative_evaluations=[decision],
        source_images=[
            SourceImageForMeasurementGroup(draft.source.stand_in, draft.source.instance, _frame_numbers(draft, result))
        ],
    )
    if result.decision_reason:
        _add_comment(group, result.decision_reason)
    return group


def _region_group(
    draft: Draft, result: Result, region: Region, number: int
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    source = SourceImageForRegion(draft.source.stand_in, draft.source.instance, _frame_numbers(draft, result))
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        _tracking(draft, f"region {number}"),
        ImageRegion("POLYLINE", region.polygon, source),
        finding_type=concepts.ANOMALY,
        measurements=[Measurement(concepts.AREA, _share(region), concepts.NO_UNITS)],
        geometric_purpose=codes.DCM.Outline,
    )


def _tracking(draft: Draft, what: str) -> TrackingIdentifier:
    return TrackingIdentifier(_tracking_uid(draft, what), f"Anomaly: {what}")


def _tracking_uid(draft: Draft, what: str) -> str:
    return draft.model.uid("tracking", draft.source.instance, what)


def _algorithm(draft: Draft, result: Result) -> AlgorithmIdentification:
    model = draft.model
    parameters = [f"weights SHA-256 {model.weights}"]
    if model.calibration is not None:
        parameters.append(f"calibration SHA-256 {model.calibration}")
    if result.threshold is not None:
        parameters.append(f"threshold and false-alarm rate from {model.threshold_origin or 'the calibration'}")
    low, high = model.map_range
    parameters.append(f"map from {low:g} to {high:g}")
    return AlgorithmIdentification(
        model.name, model.version, parameters, concepts.ARTIFICIAL_INTELLIGENCE, MANUFACTURER
    )


def _frame_numbers(draft: Draft, result: Result) -> list[int] | None:
    """Return the frame that decided, counted from 1 as DICOM does; None for a still image."""
    return [result.frame + 1] if draft.source.frames > 1 and result.frame is not None else None


def _add_comment(group: MeasurementsAndQualitativeEvaluations, text: str) -> None:
    item = TextContentItem(concepts.COMMENT, text, RelationshipTypeValues.CONTAINS)
    group[0].ContentSequence.append(item)
