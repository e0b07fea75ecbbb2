# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What arrived in the PACS, read from its files alone: which results there are of which instance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.uid import ComprehensiveSRStorage, SecondaryCaptureImageStorage, SegmentationStorage

from measurements.node.servers.orthanc import Orthanc

__all__ = ["ResultReader", "differences"]

RESULT_CLASSES = {
    ComprehensiveSRStorage: "sr",
    "1.2.840.10008.5.1.4.1.1.88.34": "sr",  # Comprehensive 3D SR
    SecondaryCaptureImageStorage: "sc",
    SegmentationStorage: "seg",
}


class ResultReader:
    """Read each instance of a PACS once; later readings look at what is new.

    Args:
        pacs: is asked.

    Attributes:
        sets: of each source's UID, how many results there are of each kind.
    """

    def __init__(self, pacs: Orthanc) -> None:
        self.pacs = pacs
        self.sets: dict[str, Counter[str]] = defaultdict(Counter)
        self._seen: set[str] = set()

    def read(self) -> Mapping[str, Counter[str]]:
        """Look at what is new, and return all."""
        for name in self.pacs.instances():
            if name not in self._seen:
                self._seen.add(name)
                self._add(dcmread(BytesIO(self.pacs.file(name)), stop_before_pixels=True))
        return self.sets

    def number(self) -> int:
        """Return how many results there are."""
        return sum(counter.total() for counter in self.read().values())

    def _add(self, dataset: Dataset) -> None:
        kind = RESULT_CLASSES.get(dataset.SOPClassUID)
        if kind is None or "DERIVED" not in dataset.get("ImageType", ["DERIVED"]):
            return
        if kind == "seg":
            kind = f"seg {dataset.SegmentationType.lower()}"
        sources = {str(uid) for uid in _references(dataset)}
        for source in sources:
            self.sets[source][kind] += 1


def _references(dataset: Dataset) -> Iterable[str]:
    """Yield the UIDs of the images that an object was made of."""
    if "ContentSequence" in dataset:  # a report: its evidence
        for key in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
            for study in dataset.get(key, []):
                for series in study.ReferencedSeriesSequence:
                    yield from (item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence)
    elif "SourceImageSequence" in dataset:
        yield from (item.ReferencedSOPInstanceUID for item in dataset.SourceImageSequence)
    else:
        for series in dataset.get("ReferencedSeriesSequence", []):
            yield from (item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence)


def differences(sets: Mapping[str, Counter[str]], uids: Iterable[str]) -> list[str]:
    """Return what is not exactly one result set for each instance; nothing of it names an instance.

    Args:
        sets: as :class:`ResultReader` has them.
        uids: of the instances that have to have one.
    """
    wanted = set(uids)
    found = Counter[str]()
    for uid in wanted:
        results = sets.get(uid, Counter())
        found["without a report"] += not results["sr"]
        found["without an overlay"] += not results["sc"]
        found["with something twice"] += any(number > 1 for number in results.values())
    found["of nobody"] = len(set(sets) - wanted)
    return [f"{number} {what}" for what, number in found.items() if number]
