# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What all kinds of objects have in common: whose they are, what made them, and their bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from highdicom.sr.coding import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from monai_anomaly.dicom_results.concepts import PROCESSING_EQUIPMENT
from monai_anomaly.dicom_results.model_identity import ModelIdentity
from monai_anomaly.dicom_results.result_object import ResultObject
from monai_anomaly.dicom_results.source_header import SourceHeader

__all__ = ["MANUFACTURER", "Draft"]

MANUFACTURER = "monai_anomaly"
_UNDATED = "19700101"
_OF_NOW = ("InstanceCreationDate", "InstanceCreationTime", "DateOfSecondaryCapture", "TimeOfSecondaryCapture")
"""When the object was made; the same input must give the same bytes."""

_INSTANCE_NUMBER, _CONTENT_DATE, _CONTENT_TIME = 0x00200013, 0x00080023, 0x00080033


@dataclass(frozen=True)
class Draft:
    """An object of one kind that is being made.

    Args:
        kind: a key of :data:`.KINDS`.
        source: the image that was scored.
        model: what scored it.
        description: of the series.
    """

    kind: str
    source: SourceHeader
    model: ModelIdentity
    description: str

    def arguments(self) -> dict[str, Any]:
        """Return what every class of highdicom is told: a series of its own, and dates that are the source's."""
        source = self.source
        return {
            "series_instance_uid": self.model.uid("series", source.series, self.kind),
            "series_number": self.model.series_number(self.kind),
            "series_description": self.description,
            "sop_instance_uid": self.model.uid("instance", source.instance, self.kind),
            "instance_number": source.number,
            "content_date": source.date or self.model.date or _UNDATED,
            "content_time": source.time if source.date else "000000",
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": self.model.name,
            "software_versions": self.model.version,
            "device_serial_number": self.model.weights,
        }

    def blanks(self) -> dict[str, bytes]:
        """Return the values that are the image's and may stand anywhere in an object; see :class:`.Filling`."""
        arguments = self.arguments()
        texts = {
            "own": arguments["sop_instance_uid"],
            "own series": arguments["series_instance_uid"],
            "class": self.source.sop_class,
            "instance": self.source.instance,
            "study": self.source.study,
        }
        return {name: text.encode() for name, text in texts.items()}

    def elements(self) -> dict[int, bytes]:
        """Return what every object has from the image; see :class:`.Filling`."""
        arguments = self.arguments()
        elements = {
            _INSTANCE_NUMBER: str(arguments["instance_number"]).encode(),
            _CONTENT_DATE: arguments["content_date"].encode(),
            _CONTENT_TIME: arguments["content_time"].encode(),
        }
        elements.update((int(item.tag), item.value or b"") for item in self.source.identity)
        return elements

    def finish(self, dataset: Dataset) -> ResultObject:
        """Give an object its patient, its study and its equipment, and turn it into bytes.

        highdicom, which quotes names in its warnings, never saw any of it.
        """
        for keyword in _OF_NOW:
            dataset.pop(keyword, None)
        for item in self.source.identity:
            dataset[item.tag] = item
        self._refer_to_class(dataset)
        dataset.ContributingEquipmentSequence = Sequence([self._equipment()])
        stream = io.BytesIO()
        dataset.save_as(stream, enforce_file_format=True)
        return ResultObject(self.kind, str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), stream.getvalue())

    def _refer_to_class(self, dataset: Dataset) -> None:
        """Write the source's own class wherever it is referred to."""
        if dataset.get("ReferencedSOPInstanceUID") == self.source.instance:
            dataset.ReferencedSOPClassUID = self.source.sop_class
        for item in dataset.elements():
            if isinstance(item.value, Sequence):
                for part in item.value:
                    self._refer_to_class(part)

    def _equipment(self) -> Dataset:
        item = Dataset()
        item.Manufacturer, item.ManufacturerModelName = MANUFACTURER, self.model.name
        item.DeviceSerialNumber, item.SoftwareVersions = self.model.weights, self.model.version
        item.PurposeOfReferenceCodeSequence = Sequence([CodedConcept.from_code(PROCESSING_EQUIPMENT)])
        return item

    def source_reference(self, frame: int | None) -> Dataset:
        """Return the item of a sequence that refers to the source, to one of its frames where it has several.

        Args:
            frame: from 0.
        """
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = self.source.sop_class, self.source.instance
        if self.source.frames > 1 and frame is not None:
            item.ReferencedFrameNumber = frame + 1
        return item
