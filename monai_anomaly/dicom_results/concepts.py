# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Codes of what a result says: the standard's where it has one, else a private scheme's."""

from __future__ import annotations

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr.coding import CodedConcept
from pydicom.sr.codedict import codes

__all__ = [
    "ANOMALY",
    "AREA",
    "ARTIFICIAL_INTELLIGENCE",
    "COMMENT",
    "DECISION",
    "DECISIONS",
    "FALSE_ALARM_RATE",
    "IMAGING_PROCEDURE",
    "NO_UNITS",
    "PROCESSING_EQUIPMENT",
    "P_VALUE",
    "SCORE",
    "SOURCE_IMAGE",
    "STRUCTURE",
    "THRESHOLD",
    "private_scheme",
]

_SCHEME = "99MONAI_ANOMALY"


def _private(value: str, meaning: str) -> CodedConcept:
    return CodedConcept(value, _SCHEME, meaning)


def _public(code: tuple[str, ...]) -> CodedConcept:
    return CodedConcept(code[0], code[1], code[2])


def private_scheme() -> CodingSchemeIdentificationItem:
    """Return what objects say of the private scheme that they use."""
    return CodingSchemeIdentificationItem(_SCHEME, name="monai_anomaly", responsible_organization="monai_anomaly")


SCORE = _private("score", "Anomaly score")
P_VALUE = _private("p_value", "Conformal p-value")
THRESHOLD = _private("threshold", "Threshold of the anomaly score")
FALSE_ALARM_RATE = _private("false_alarm_rate", "False-alarm rate")
AREA = _private("area", "Share of the picture")
DECISION = _private("decision", "Decision")
ANOMALY = _private("anomaly", "Unlike the training normals")
DECISIONS = {
    "normal": _private("normal", "Normal"),
    "anomalous": _private("anomalous", "Anomalous"),
    "not_applicable": _private("not_applicable", "Method not applicable"),
    "uncalibrated": _private("uncalibrated", "Uncalibrated"),
}
ARTIFICIAL_INTELLIGENCE = _public(codes.DCM.ArtificialIntelligence)
COMMENT = _public(codes.DCM.Comment)
IMAGING_PROCEDURE = _public(codes.SCT.ImagingProcedure)
NO_UNITS = CodedConcept("1", "UCUM", "no units")
PROCESSING_EQUIPMENT = _public(codes.DCM.ProcessingEquipment)
SOURCE_IMAGE = _public(codes.DCM.SourceImageForImageProcessingOperation)
STRUCTURE = _public(codes.SCT.MorphologicallyAbnormalStructure)
