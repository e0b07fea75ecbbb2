# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A made-up image and result, of the form of real ones: each of its values is one that nothing else has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from monai_anomaly.dicom_results.regions import Region
from monai_anomaly.dicom_results.source_header import SourceHeader, raw_element
from monai_anomaly.scoring.result import Result

__all__ = ["sample_content", "sample_header", "sample_result"]

_ROWS, _COLUMNS = 2, 4
_UIDS: dict[str, Any] = {"sop_class": "2.25.701", "instance": "2.25.702", "study": "2.25.703", "series": "2.25.704"}
_NUMBERS = {"score": 0.1357900001, "p_value": 0.1357900002, "threshold": 0.1357900003, "false_alarm_rate": 0.1357900004}
_FRAME = 135790


def sample_header(header: SourceHeader) -> SourceHeader:
    """Return a small image of nobody, in the place of the other one."""
    return replace(
        header,
        **_UIDS,
        rows=_ROWS,
        columns=_COLUMNS,
        modality="OT",
        number=1,
        date="19700101",
        time="000000",
        burned_in="",
        identity=(),
        laterality=raw_element("Laterality", b""),
        orientation=raw_element("PatientOrientation", b""),
    )


def sample_result(result: Result) -> Result:
    """Return a result that has what the other one has, and its decision."""
    numbers: dict[str, Any] = {
        name: None if getattr(result, name) is None else number for name, number in _NUMBERS.items()
    }
    return replace(
        result,
        **numbers,
        frame=None if result.frame is None else _FRAME,
        decision_reason=result.decision_reason and "The reason of the decision of a sample.",
    )


def sample_content(content: Any) -> Any:
    """Return as many regions, which are triangles, or pixels of the sample's size, all 0."""
    if isinstance(content, np.ndarray):
        return np.zeros((_ROWS, _COLUMNS, *content.shape[2:]), content.dtype)
    corners = np.array([[0, 0], [0, 1], [1, 1], [0, 0]], dtype=np.float64)
    return [Region(corners + n, n / 1000 + 0.000135) for n in range(1, len(content) + 1)]
