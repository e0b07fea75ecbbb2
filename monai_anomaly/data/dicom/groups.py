# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What holds for one frame of an enhanced multi-frame object: DICOM PS3.3 C.7.6.16.

Enhanced ultrasound, angiography, tomosynthesis and MR keep rescale, window and spacing in functional groups, shared by
all frames or one for each; these stand in place of the elements at the top of the data set.
"""

from __future__ import annotations

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from monai_anomaly.data.dicom.elements import element
from monai_anomaly.data.errors import ImageReadError

__all__ = ["COLLIMATOR", "GROUPS", "PER_FRAME", "SHARED", "SHUTTER", "frame_elements", "same_elements"]

SHUTTER = (
    "ShutterShape",
    "ShutterLeftVerticalEdge",
    "ShutterRightVerticalEdge",
    "ShutterUpperHorizontalEdge",
    "ShutterLowerHorizontalEdge",
    "CenterOfCircularShutter",
    "RadiusOfCircularShutter",
    "VerticesOfThePolygonalShutter",
    "ShutterOverlayGroup",
)
COLLIMATOR = (
    "CollimatorShape",
    "CollimatorLeftVerticalEdge",
    "CollimatorRightVerticalEdge",
    "CollimatorUpperHorizontalEdge",
    "CollimatorLowerHorizontalEdge",
    "CenterOfCircularCollimator",
    "RadiusOfCircularCollimator",
    "VerticesOfThePolygonalCollimator",
)
GROUPS: dict[str, tuple[str, ...]] = {
    "PixelValueTransformationSequence": ("RescaleIntercept", "RescaleSlope", "RescaleType", "ModalityLUTSequence"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    "PixelMeasuresSequence": ("PixelSpacing", "PixelSpacingCalibrationType"),
    "FramePixelDataPropertiesSequence": ("ImagerPixelSpacing",),
    "FrameDisplayShutterSequence": SHUTTER,
    "CollimatorShapeSequence": COLLIMATOR,
}
"""Functional groups, and the elements that each of them decides."""

SHARED, PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"


def frame_elements(dataset: Dataset, index: int, frames: int) -> Dataset:
    """Return the header as it holds for one frame; the header itself where it has no functional groups.

    Args:
        dataset: the header.
        index: the frame, from 0.
        frames: number of frames of the file.

    Raises:
        ImageReadError: ``inconsistent`` when a frame has no functional groups, or they are malformed.
    """
    shared, per_frame = dataset.get(SHARED), dataset.get(PER_FRAME)
    if not shared and not per_frame:
        return dataset
    if per_frame and len(per_frame) != frames:
        raise ImageReadError(
            "inconsistent",
            f"{element(PER_FRAME)} has {len(per_frame)} items for the {frames} frames of "
            f"{element('NumberOfFrames')}; export the image again.",
        )
    merged = Dataset()
    merged.file_meta = dataset.file_meta
    for tag in dataset.keys():
        if keyword_for_tag(tag) not in (SHARED, PER_FRAME):
            merged[tag] = dataset.get_item(tag, keep_deferred=True)  # as it is: few of them are looked at
    for holder in (shared[0] if shared else None, per_frame[index] if per_frame else None):
        for sequence, keywords in GROUPS.items():
            if holder is not None and holder.get(sequence):
                _replace(merged, holder[sequence][0], keywords)
    return merged


def same_elements(one: Dataset, other: Dataset) -> bool:
    """Return whether all that functional groups decide is the same for two frames."""
    return all(one.get(keyword) == other.get(keyword) for keywords in GROUPS.values() for keyword in keywords)


def _replace(merged: Dataset, group: Dataset, keywords: tuple[str, ...]) -> None:
    """Put a functional group's elements in place of those that were there."""
    for keyword in keywords:
        if keyword in merged:
            delattr(merged, keyword)
        if keyword in group:
            merged[keyword] = group[keyword]
