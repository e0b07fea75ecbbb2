# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""One DICOM object of a result, as the bytes of its file."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["KINDS", "ResultObject"]

KINDS = {
    "sr": "structured report (TID 1500)",
    "sc": "secondary capture: the overlay",
    "seg": "fractional segmentation: the map",
    "seg_binary": "binary segmentation: the map at the threshold",
}
"""What objects there are, by their short names, which also name their files."""


@dataclass(frozen=True)
class ResultObject:
    """A DICOM object.

    Args:
        kind: a key of ``KINDS``.
        sop_class_uid: what it is.
        sop_instance_uid: which one it is: the same for the same source, weights, calibration and kind.
        content: a whole file (DICOM PS3.10); the same input gives the same bytes.
    """

    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    content: bytes = field(repr=False)
