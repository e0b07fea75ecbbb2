# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The files of a shard are scored and written, each of them once, whatever ended workers before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from monai_anomaly.apps.archive.fetching import Fetched, fetched
from monai_anomaly.apps.archive.journal import TOGETHER, WRITING, Journal, file_phase
from monai_anomaly.apps.archive.map_archive import MapArchive
from monai_anomaly.apps.archive.place import ResultPlace
from monai_anomaly.apps.archive.record_table import encode_records, part_name
from monai_anomaly.apps.archive.shards import Shard
from monai_anomaly.bundle.anomaly_detector import AnomalyDetector
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.sets.records import rejected_record
from monai_anomaly.handlers.scoring.inference_files import MAPS_FOLDER
from monai_anomaly.handlers.scoring.picture_files import PictureFiles
from monai_anomaly.scoring.result import Result
from monai_anomaly.scoring.source_pictures import SourcePictures

__all__ = ["score_shard"]

MOST_TOGETHER = 2
"""Processes that may end while a shard's files are scored together; then they are scored one by one."""

MOST_ALONE = 2
"""Processes that may end while a file is scored alone; then it is refused."""


def score_shard(
    detector: AnomalyDetector, shard: Shard, place: ResultPlace, journal: Journal, *, maps: str, folder: Path
) -> None:
    """Score a shard and write its maps and then its records, which say that it is done.

    Args:
        detector: the trained detector.
        shard: the files.
        place: of the results.
        journal: of the shard.
        maps: as :class:`.PictureFiles` takes it.
        folder: for what is needed meanwhile.

    Raises:
        FetchingError: when an object store does not answer.
        OSError: when the results cannot be written.
    """
    with TemporaryDirectory(dir=folder) as temporary:
        scoring = _Scoring(detector, shard, maps, Path(temporary))
        if journal.deaths(TOGETHER) < MOST_TOGETHER:
            journal.enter(TOGETHER)
            scoring.take(shard.items)
        else:
            for index, item in enumerate(shard.items):
                phase = file_phase(index)
                if journal.deaths(phase) < MOST_ALONE:
                    journal.enter(phase)
                    scoring.take([item])
                else:
                    scoring.refuse(item)
        journal.enter(WRITING)
        scoring.archive.put(place)
        place.write(part_name(shard.name), encode_records(scoring.records))


class _Scoring:
    """Gathers the records and maps of a shard.

    Attributes:
        records: so far.
        archive: of the maps so far.
    """

    def __init__(self, detector: AnomalyDetector, shard: Shard, maps: str, folder: Path) -> None:
        self._detector, self._maps, self._folder = detector, maps, folder
        self._shape = detector.trained.preprocessing.image_shape
        (folder / MAPS_FOLDER).mkdir()
        self.records: list[dict[str, Any]] = []
        self.archive = MapArchive(folder, shard.name)

    def take(self, items: Iterable[dict[str, Any]]) -> None:
        """Score files; each has one record."""
        taken: list[Fetched] = []

        def readable() -> Iterator[dict[str, Any]]:
            for each in files:
                taken.append(each)
                yield each.item if each.refusal is None else self._refused(each.item, each.refusal)

        with closing(fetched(items, self._folder)) as files:
            for result in self._detector.score_items(readable(), ahead=True):
                each = taken.pop(0)
                self._add(each.item, result)
                each.discard()

    def refuse(self, item: dict[str, Any]) -> None:
        """Give a file that ends whoever scores it its record."""
        text = "whoever scored the file was ended, as the system does when memory runs out; score it with more memory."
        (result,) = self._detector.score_items([self._refused(item, ImageReadError("budget", text))])
        self._add(item, result)

    def _refused(self, item: dict[str, Any], refusal: ImageReadError) -> dict[str, Any]:
        return {**rejected_record(item, refusal, self._shape), "origin": None}

    def _add(self, item: dict[str, Any], result: Result) -> None:
        record, index = result.record(), int(item["index"])
        reader = self._detector.trained.preprocessing.reader
        sources = SourcePictures([item], reader) if self._maps == "nifti" else None
        writer = PictureFiles(maps=self._maps, overlays=False, sources=sources, map_range=self._detector.map_range)
        writer.start(self._folder)
        pictures = writer.write(result, index, index)
        pictures.add_to(record)
        if pictures.map is not None:
            record["map"] = self.archive.add(self._folder / pictures.map)
        self.records.append({**record, "index": index})
