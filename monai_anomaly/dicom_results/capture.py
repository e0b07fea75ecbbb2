# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The overlay as a picture that every viewer shows: a secondary capture of the source's size."""

from __future__ import annotations

import struct

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
from monai_anomaly.dicom_results.template import Filling
from monai_anomaly.scoring.result import Result

__all__ = ["draw_capture", "fill_capture", "make_capture"]

_ROWS, _COLUMNS, _PIXELS = 0x00280010, 0x00280011, 0x7FE00010
_MODALITY, _BURNED_IN, _DERIVATION = 0x00080060, 0x00280301, 0x00082111


def draw_capture(overlay: npt.NDArray[np.uint8], result: Result, *, several: bool) -> npt.NDArray[np.uint8]:
    """Return an overlay with the banner on it, ``(rows, columns, 3)``.

    Args:
        overlay: of the result, as :func:`.draw_overlay` gives it; it stays as it is.
        result: that was scored.
        several: whether the source has several frames.
    """
    drawn = overlay.copy()
    draw_banner(drawn, result, several=several)
    return drawn


def make_capture(draft: Draft, result: Result, drawn: npt.NDArray[np.uint8]) -> ResultObject:
    """Return the picture with the map over it and a banner, as RGB.

    Args:
        draft: of kind ``"sc"``.
        result: that was scored.
        drawn: as :func:`draw_capture` gives it.
    """
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
    capture.DerivationDescription = _description(draft, result)
    return draft.finish(capture)


def fill_capture(draft: Draft, result: Result, drawn: npt.NDArray[np.uint8]) -> Filling:
    """Return what a capture has of its own.

    Args:
        draft, result, drawn: as of :func:`make_capture`.
    """
    source, blanks = draft.source, draft.blanks()
    elements = {
        **draft.elements(),
        _ROWS: struct.pack("<H", drawn.shape[0]),
        _COLUMNS: struct.pack("<H", drawn.shape[1]),
        _PIXELS: drawn.tobytes(),
        _MODALITY: source.modality.encode(),
        _DERIVATION: _description(draft, result).encode(),
    }
    elements.update((int(item.tag), item.value or b"") for item in (source.laterality, source.orientation))
    if source.burned_in in ("YES", "NO"):
        elements[_BURNED_IN] = source.burned_in.encode()
    if source.frames > 1 and result.frame is not None:
        blanks["frame"] = str(result.frame + 1).encode()
    return Filling((source.frames > 1, "frame" in blanks), blanks, elements)


def _description(draft: Draft, result: Result) -> str:
    low, high = draft.model.map_range
    frame = f", frame {result.frame + 1}" if draft.source.frames > 1 and result.frame is not None else ""
    return (
        f"Anomaly map of {draft.model.name} {draft.model.version} as colors over the source picture{frame}; colors "
        f"from {low:g} to {high:g}. Research use, not for diagnosis."
    )
