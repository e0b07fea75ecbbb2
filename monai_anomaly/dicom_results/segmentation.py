# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The map as a segmentation: as fractions of its scale, and where it reaches the threshold."""

from __future__ import annotations

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
from monai_anomaly.scoring.result import Result

__all__ = ["make_binary", "make_fractional"]


def make_fractional(draft: Draft, result: Result) -> ResultObject:
    """Return the map as fractions of its range in 255 steps; 0 where the network saw nothing.

    Args:
        draft: of kind ``"seg"``.
        result: that was scored, of a still image.
    """
    low, high = draft.model.map_range
    values = (result.map_on_source - np.float32(low)) / np.float32(high - low)
    fractions = np.clip(np.nan_to_num(values, nan=0.0), 0.0, 1.0)
    words = f"(map value - {low:g}) / {high - low:g}, from 0 to 1; not a probability"
    return _finish(draft, fractions, "FRACTIONAL", "Anomaly map", words)


def make_binary(draft: Draft, result: Result) -> ResultObject:
    """Return where the map reaches the threshold of the decision.

    Args:
        draft: of kind ``"seg_binary"``.
        result: that was scored with a calibration, of a still image.
    """
    threshold = np.float32(result.threshold)
    mask = np.nan_to_num(result.map_on_source, nan=-np.inf) >= threshold
    words = f"Where the anomaly map is at or above {threshold:.6g}, the threshold of the image's score"
    return _finish(draft, mask.astype(np.uint8), "BINARY", "Map at the threshold", words)


def _finish(
    draft: Draft, pixels: npt.NDArray[np.float32] | npt.NDArray[np.uint8], kind: str, label: str, words: str
) -> ResultObject:
    segmentation = Segmentation(
        [draft.source.reference()],
        pixels[None],
        kind,
        [_segment(label, words, draft.model)],
        content_label="ANOMALY",
        content_description=words[:64],
        omit_empty_frames=False,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        coding_schemes=[private_scheme()],
        **draft.arguments(),
    )
    _fix_dimension_uid(segmentation, draft.model.uid("dimensions", draft.source.instance, draft.kind))
    orientation = draft.source.orientation
    segmentation[orientation.tag] = orientation
    return draft.finish(segmentation)


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
