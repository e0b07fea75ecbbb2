# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What arrived in the PACS, read from its files alone: which results there are of which instance, and what is amiss."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import ComprehensiveSRStorage, SecondaryCaptureImageStorage, SegmentationStorage

from measurements.node.servers.orthanc import Orthanc

__all__ = ["ResultReader", "Tally", "kinds_of", "tally"]

RESULT_CLASSES = {
    ComprehensiveSRStorage: "sr",
    "1.2.840.10008.5.1.4.1.1.88.34": "sr",  # Comprehensive 3D SR
    SecondaryCaptureImageStorage: "sc",
    SegmentationStorage: "seg",
}

OF_ALL = ("sr", "sc")
OF_STILLS = ("seg fractional", "seg binary")


class ResultReader:
    """Read each instance of a PACS once; later readings look at what is new.

    Args:
        pacs: is asked.
        keep: leave what was read in the PACS; otherwise it is deleted there, for room, and one that is sent again
            counts as there twice.

    Attributes:
        sets: of each source's UID, how many results there are of each kind.
    """

    def __init__(self, pacs: Orthanc, *, keep: bool = True) -> None:
        self.pacs, self.keep = pacs, keep
        self.sets: dict[str, Counter[str]] = defaultdict(Counter)
        self._seen: set[str] = set()

    def read(self) -> Mapping[str, Counter[str]]:
        """Look at what is new, and return all."""
        for name in self.pacs.instances():
            if name in self._seen:
                continue
            self._add(dcmread(BytesIO(self.pacs.file(name)), stop_before_pixels=True))
            if self.keep:
                self._seen.add(name)
            else:
                self.pacs.delete(name)
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


@dataclass(frozen=True)
class Tally:
    """What arrived, against what was sent.

    Args:
        expected: results, of all instances.
        found: of these, in the PACS.
        twice: results that are there besides.
        strange: results of what was not sent.
    """

    expected: int
    found: int
    twice: int
    strange: int

    @property
    def wrong(self) -> list[str]:
        """What is not exactly one result set for each instance."""
        counts = {"lost": self.expected - self.found, "twice": self.twice, "of nobody": self.strange}
        return [f"{number} results {what}" for what, number in counts.items() if number]


def tally(sets: Mapping[str, Counter[str]], expected: Mapping[str, Collection[str]]) -> Tally:
    """Compare results with what is expected.

    Args:
        sets: as :class:`ResultReader` has them; results of other nodes are not among them.
        expected: the kinds of results of each instance that was sent, by its UID.
    """
    found = twice = 0
    for uid, kinds in expected.items():
        results = sets.get(uid, Counter())
        found += sum(1 for kind in kinds if results[kind])
        twice += sum(number - (kind in kinds) for kind, number in results.items() if number)
    strange = sum(results.total() for uid, results in sets.items() if uid not in expected)
    return Tally(sum(map(len, expected.values())), found, twice, strange)


def kinds_of(path: Path) -> tuple[str, ...]:
    """Return the kinds of results of an instance: two, and of a still two more, since a cine has no segmentation."""
    frames = dcmread(path, specific_tags=["NumberOfFrames"], stop_before_pixels=True).get("NumberOfFrames")
    return (*OF_ALL, *(OF_STILLS if int(frames or 1) == 1 else ()))
