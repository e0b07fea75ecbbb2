# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The map as a segmentation: as fractions of its scale, and where it reaches the threshold."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
from highdicom.content import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from monai_anomaly.dicom_results.concepts import ANOMALY, ARTIFICIAL_INTELLIGENCE, STRUCTURE, private_scheme
from monai_anomaly.dicom_results.draft import MANUFACTURER, Draft
from monai_anomaly.dicom_results.model_identity import ModelIdentity
from monai_anomaly.dicom_results.result_object import ResultObject
from monai_anomaly.dicom_results.template import Filling
from monai_anomaly.scoring.result import Result

__all__ = ["fill_segmentation", "fractions_of", "make_segmentation"]

_ROWS, _COLUMNS, _PIXELS, _CONTENT = 0x00280010, 0x00280011, 0x7FE00010, 0x00700081
_STEPS = 255

Pixels = npt.NDArray[np.float32] | npt.NDArray[np.uint8]


def fractions_of(source_map: npt.NDArray[np.float32], map_range: tuple[float, float]) -> npt.NDArray[np.float32]:
    """Return a map as fractions of its range, ``(rows, columns)`` in [0, 1]; 0 where the network saw nothing.

    Args:
        source_map: ``(rows, columns)``, NaN where the network saw nothing.
        map_range: the map values of 0 and 1.
    """
    low, high = map_range
    values = (source_map - np.float32(low)) / np.float32(high - low)
    return np.clip(np.nan_to_num(values, nan=0.0), 0.0, 1.0)


def make_segmentation(draft: Draft, result: Result, pixels: Pixels) -> ResultObject:
    """Return the map as fractions of its range in 255 steps, or where it reaches the threshold of the decision.

    Args:
        draft: of kind ``"seg"`` or ``"seg_binary"``.
        result: that was scored, of a still image; with a calibration for the latter.
        pixels: as :func:`fractions_of` or :func:`~monai_anomaly.transforms.source_map.mask_of` gives them.
    """
    binary = draft.kind == "seg_binary"
    words = _words(draft, result)
    segmentation = Segmentation(
        [draft.source.reference()],
        pixels[None],
        "BINARY" if binary else "FRACTIONAL",
        [_segment("Map at the threshold" if binary else "Anomaly map", words, draft.model)],
        max_fractional_value=_STEPS,
        content_label="ANOMALY",
        content_description=words[:64],
        omit_empty_frames=False,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        coding_schemes=[private_scheme()],
        **draft.arguments(),
    )
    _fix_dimension_uid(segmentation, _dimension_uid(draft))
    _fix_padding(segmentation)
    orientation = draft.source.orientation
    segmentation[orientation.tag] = orientation
    return draft.finish(segmentation)


def fill_segmentation(draft: Draft, result: Result, pixels: Pixels) -> Filling:
    """Return what a segmentation has of its own.

    Args:
        draft, result, pixels: as of :func:`make_segmentation`.
    """
    source, words = draft.source, _words(draft, result).encode("ascii")
    packed = (
        np.packbits(pixels.astype(np.uint8, copy=False), bitorder="little")
        if draft.kind == "seg_binary"
        else np.around(pixels * float(_STEPS)).astype(np.uint8)
    )
    blanks = {
        **draft.blanks(),
        "series": source.series.encode(),
        "dimensions": _dimension_uid(draft).encode(),
        "words": words,
    }
    elements = {
        **draft.elements(),
        _ROWS: struct.pack("<H", pixels.shape[0]),
        _COLUMNS: struct.pack("<H", pixels.shape[1]),
        _PIXELS: packed.tobytes(),
        _CONTENT: words[:64],
        int(source.orientation.tag): source.orientation.value or b"",
    }
    return Filling(tuple((item.tag, str(item.value)) for item in source.place), blanks, elements)


def _words(draft: Draft, result: Result) -> str:
    if draft.kind == "seg_binary":
        threshold = np.float32(result.threshold)
        return f"Where the anomaly map is at or above {threshold:.6g}, the threshold of the image's score"
    low, high = draft.model.map_range
    return f"(map value - {low:g}) / {high - low:g}, from 0 to 1; not a probability"


def _segment(label: str, words: str, model: ModelIdentity) -> SegmentDescription:
    parameters = {"weights": model.weights, "calibration": model.calibration or "none"}
    algorithm = AlgorithmIdentificationSequence(
        model.name, ARTIFICIAL_INTELLIGENCE, model.version, MANUFACTURER, parameters
    )
    segment = SegmentDescription(1, label, STRUCTURE, ANOMALY, "AUTOMATIC", algorithm)
    segment.SegmentDescription = words
    return segment


def _fix_dimension_uid(dataset: Dataset, uid: str) -> None:
    """Replace the random UID that highdicom gives the dimensions: the same input must give the same bytes."""
    for item in (*dataset.DimensionOrganizationSequence, *dataset.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid


def _dimension_uid(draft: Draft) -> str:
    return draft.model.uid("dimensions", draft.source.instance, draft.kind)


def _fix_padding(dataset: Dataset) -> None:
    """Pad pixels by zero as the standard says (PS3.5, 8.1.1); highdicom does it by the digit."""
    bits = dataset.Rows * dataset.Columns * dataset.BitsAllocated
    length = (bits + 7) // 8
    dataset.PixelData = dataset.PixelData[:length] + b"\0" * (length % 2)
