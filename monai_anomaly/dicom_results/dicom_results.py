# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""From a scored DICOM image to the objects that go back to the archive."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from monai_anomaly.data.dicom.elements import quiet_pydicom
from monai_anomaly.dicom_results.capture import draw_capture, fill_capture, make_capture
from monai_anomaly.dicom_results.draft import Draft
from monai_anomaly.dicom_results.errors import DicomResultError
from monai_anomaly.dicom_results.model_identity import ModelIdentity
from monai_anomaly.dicom_results.regions import Region, find_regions
from monai_anomaly.dicom_results.result_object import ResultObject
from monai_anomaly.dicom_results.sample import sample_content, sample_header, sample_result
from monai_anomaly.dicom_results.segmentation import fill_segmentation, fractions_of, make_segmentation
from monai_anomaly.dicom_results.source_header import SourceHeader, read_source
from monai_anomaly.dicom_results.structured_report import fill_report, make_report
from monai_anomaly.dicom_results.template import Filling, Template
from monai_anomaly.report.overlay import draw_overlay
from monai_anomaly.scoring.result import Result
from monai_anomaly.transforms.source_map import mask_of

__all__ = ["DicomResults"]

logging.getLogger("highdicom").setLevel(logging.WARNING)  # below it, it writes UIDs of patients' images

Picture = npt.NDArray[np.float32]
WANTED = ("sr", "sc", "seg")
MOST_TEMPLATES = 64
"""Forms are few; only segmentations of images in a frame of reference have one for each place."""

DESCRIPTIONS = {
    "sr": "Anomaly report, research use",
    "sc": "Anomaly overlay, research use",
    "seg": "Anomaly map, research use",
    "seg_binary": "Anomaly mask, research use",
}


class DicomResults:
    """Makes the DICOM objects of one detector's results; may be used from several threads at once.

    * ``sr``: Comprehensive SR after TID 1500;
    * ``sc``: Secondary Capture, RGB, of the source's size;
    * ``seg``: Segmentation of a still image, fractional; and, where there is a threshold, a binary one as
      ``seg_binary``. A cine has none: highdicom makes none of frames without a frame of reference, which ultrasound
      has not.

    A parametric map is not made: highdicom refuses it for images without a frame of reference, such as radiographs and
    ultrasound.

    UIDs follow from the source's UID, the weights' and the calibration's digests and the kind; dates are the source's.
    So the same input gives the same bytes, and may be sent again.

    The first object of a form takes highdicom some 50 ms; those that follow are filled in, and take one.

    Args:
        identity: the detector.
        kinds: what is wanted, of ``sr``, ``sc`` and ``seg``.

    Raises:
        ValueError: for another kind, or none.
    """

    def __init__(self, identity: ModelIdentity, kinds: Sequence[str] = WANTED) -> None:
        unknown = [kind for kind in kinds if kind not in WANTED]
        if unknown or not kinds:
            raise ValueError(f"kinds of DICOM results must be some of {', '.join(WANTED)}, got {list(kinds)}.")
        self.identity = identity
        self._templates: dict[Hashable, Template] = {}
        self.kinds = tuple(kind for kind in WANTED if kind in kinds)

    def make(
        self,
        source: Dataset | str | os.PathLike[str],
        result: Result,
        *,
        picture: Picture | Callable[[], Picture] | None = None,
        source_map: Picture | None = None,
        overlay: npt.NDArray[np.uint8] | None = None,
    ) -> tuple[ResultObject, ...]:
        """Return the objects of a result, in the order ``sr``, ``sc``, ``seg``, ``seg_binary``.

        Args:
            source: the image's data set or file; only its header is looked at.
            result: of the same image, with a score.
            picture: the stored frame ``(C, rows, columns)`` in [0, 1], or what reads it; None asks the result.
            source_map: the result's map on the source, where it is at hand.
            overlay: of picture and map, where it is drawn already; the picture is not needed then.

        Raises:
            DicomResultError: when the source is no DICOM image, lacks a UID, or is another than was scored; when there
                is no score.
            ImageReadError: when the picture is read again and cannot be.
        """
        if result.status != "scored" or result.anomaly_map is None:
            raise DicomResultError("no_score", f"there is no score to report, as the image was {result.status}.")
        with quiet_pydicom():
            header = read_source(source)
            if result.source_shape != (header.rows, header.columns):
                raise DicomResultError(
                    "changed", "the source has another size than the image that was scored; score it again."
                )
            source_map = result.map_on_source if source_map is None else source_map
            if overlay is None and "sc" in self.kinds:
                shown = picture() if callable(picture) else result.picture if picture is None else picture
                overlay = draw_overlay(shown, source_map, self.identity.map_range)
            return tuple(self._objects(header, result, source_map, overlay))

    def _objects(
        self, header: SourceHeader, result: Result, source_map: Picture, overlay: npt.NDArray[np.uint8] | None
    ) -> Iterator[ResultObject]:
        if "sr" in self.kinds:
            yield self._object("sr", header, result, _regions(result))
        if overlay is not None and "sc" in self.kinds:
            yield self._object("sc", header, result, draw_capture(overlay, result, several=header.frames > 1))
        if "seg" in self.kinds and header.frames == 1:
            yield self._object("seg", header, result, fractions_of(source_map, self.identity.map_range))
            if result.threshold is not None:
                yield self._object("seg_binary", header, result, mask_of(source_map, result.threshold))

    def _object(self, kind: str, header: SourceHeader, result: Result, content: Any) -> ResultObject:
        """Fill an object's template, which is built where there is none of its form yet."""
        build, fill = _MAKERS[kind]
        filling = fill(self._draft(kind, header), result, content)
        key = kind, filling.form
        template = self._templates.get(key)
        if template is None:
            sample = self._draft(kind, sample_header(header)), sample_result(result), sample_content(content)
            template = Template(build(*sample), fill(*sample).blanks)
            if len(self._templates) >= MOST_TEMPLATES:
                self._templates.clear()
            self._templates[key] = template
        return template.fill(filling)

    def _draft(self, kind: str, header: SourceHeader) -> Draft:
        return Draft(kind, header, self.identity, DESCRIPTIONS[kind])


_MAKERS: dict[str, tuple[Callable[[Draft, Result, Any], ResultObject], Callable[[Draft, Result, Any], Filling]]] = {
    "sr": (make_report, fill_report),
    "sc": (make_capture, fill_capture),
    "seg": (make_segmentation, fill_segmentation),
    "seg_binary": (make_segmentation, fill_segmentation),
}


def _regions(result: Result) -> list[Region]:
    if result.decision != "anomalous" or result.anomaly_map is None or result.box is None:
        return []
    return find_regions(result.anomaly_map, float(result.threshold or 0.0), result.box)
