# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The records of an earlier run among those of this one, and what a page shows of them, drawn again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from monai.engines.evaluator import SupervisedEvaluator

from monai_anomaly.data.sets.input_digest import INPUT_DIGEST
from monai_anomaly.engines.evaluator import map_alone
from monai_anomaly.handlers.scoring.dicom_files import DicomFiles
from monai_anomaly.handlers.scoring.earlier_results import EarlierResults
from monai_anomaly.handlers.scoring.picture_files import PictureFiles, Pictures
from monai_anomaly.scoring.result import Result, result_of

__all__ = ["KeptPictures"]


class KeptPictures:
    """Hands out kept records in the order of the data list, and makes their results again.

    A score is not computed again, nor is a map or an overlay written: what has no pixels in the records is what a card
    shows, for as many images as the page has cards.

    Args:
        earlier: what is kept; None for nothing.
        files: of this run.
        dicom: of this run; None where it writes none.
    """

    def __init__(self, earlier: EarlierResults | None, files: PictureFiles, dicom: DicomFiles | None = None) -> None:
        self._earlier, self._files, self._dicom = earlier, files, dicom
        self._waiting = [] if earlier is None else sorted(earlier.kept)
        self._at = 0
        self._records: dict[int, tuple[int, dict[str, Any]]] = {}

    @property
    def count(self) -> int:
        """How many records were handed out."""
        return len(self._records)

    def before(self, index: float, number: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield number and record of the files that come before a place in the data list; their files are here by then.

        Args:
            index: the place; infinity for all that are left.
            number: of the next record.

        Raises:
            OSError: when a file cannot be taken over.
        """
        while self._earlier is not None and self._at < len(self._waiting) and self._waiting[self._at] < index:
            place = self._waiting[self._at]
            kept = self._earlier.kept[place]
            record = self._files.keep(kept.record, kept.folder, number)
            if self._dicom is not None:
                record = self._dicom.keep(record, kept.folder, number)
            self._records[number] = place, record
            self._at += 1
            yield number, record
            number += 1

    def rest(self, number: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield those that are left; see :meth:`before`."""
        return self.before(math.inf, number)

    def redraw(self, engine: SupervisedEvaluator, number: int) -> tuple[Result, Pictures] | None:
        """Return the result of a kept record with its pixels; None where the file is not what it was any more.

        Args:
            engine: the evaluator; its data set reads the file, and its network makes the map.
            number: of the record.
        """
        if self._earlier is None:
            return None
        index, record = self._records[number]
        loader: Any = engine.data_loader
        item = loader.dataset.read(self._earlier.item(index))
        if item["status"] != "ok" or item.get(INPUT_DIGEST) != record[INPUT_DIGEST]:
            return None
        anomaly_map, error = map_alone(engine, item["image"][None].to(engine.state.device))
        if error:
            return None
        result = result_of(record, image=item["image"], anomaly_map=anomaly_map[0])
        seen = self._files.look(result, index)
        return result, Pictures(map=record["map"], overlay=record["overlay"], seen=seen)
