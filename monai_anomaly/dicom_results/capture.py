# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The overlay as a picture that every viewer shows: a secondary capture of the source's size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from highdicom.sc import SCImage
from highdicom.sr.coding import CodedConcept
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from monai_anomaly.dicom_results.banner import draw_banner
from monai_anomaly.dicom_results.concepts import SOURCE_IMAGE
from monai_anomaly.dicom_results.draft import Draft
from monai_anomaly.dicom_results.result_object import ResultObject
from monai_anomaly.report.overlay import draw_overlay
from monai_anomaly.scoring.result import Result

__all__ = ["make_capture"]


def make_capture(draft: Draft, result: Result, picture: npt.NDArray[np.float32]) -> ResultObject:
    """Return the picture with the map over it and a banner, as RGB.

    Args:
        draft: of kind ``"sc"``.
        result: that was scored.
        picture: the stored frame as a viewer shows it, ``(C, rows, columns)`` in [0, 1].
    """
    low, high = draft.model.map_range
    drawn = draw_overlay(picture, result.map_on_source, (low, high))
    draw_banner(drawn, result, several=draft.source.frames > 1)
    source = draft.source
    capture = SCImage.from_ref_dataset(
        source.reference(),
        drawn,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),  # highdicom wants one; the source's takes its place
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **draft.arguments(),
    )
    capture.Modality = source.modality
    capture.ImageType = ["DERIVED", "SECONDARY"]
    for item in (source.laterality, source.orientation):
        capture[item.tag] = item
    if source.burned_in in ("YES", "NO"):
        capture.BurnedInAnnotation = source.burned_in
    reference = draft.source_reference(result.frame)
    reference.PurposeOfReferenceCodeSequence = Sequence([CodedConcept.from_code(SOURCE_IMAGE)])
    capture.SourceImageSequence = Sequence([reference])
    frame = f", frame {result.frame + 1}" if source.frames > 1 and result.frame is not None else ""
    capture.DerivationDescription = (
        f"Anomaly map of {draft.model.name} {draft.model.version} as colors over the source picture{frame}; colors "
        f"from {low:g} to {high:g}. Research use, not for diagnosis."
    )
    return draft.finish(capture)
