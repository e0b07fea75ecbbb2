# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What Ray keeps in a process of its own: the detector, opened once, which scores one shard after another."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from monai_anomaly.apps.archive.journal import OPENING, WRITING, Journal
from monai_anomaly.apps.archive.options import ArchiveOptions
from monai_anomaly.apps.archive.place import ResultPlace
from monai_anomaly.apps.archive.record_table import FOLDER, part_name
from monai_anomaly.apps.archive.shards import Shard
from monai_anomaly.utils.differences import differences
from monai_anomaly.utils.kept_memory import keep_freed_memory
from monai_anomaly.utils.lean_import import hide_optional_packages

__all__ = ["ShardScorer"]

MOST_OPENINGS = 3
"""Processes that may end while a detector is opened, or results are written; then the run does."""


class ShardScorer:
    """Scores a shard for each row that it is given.

    Nothing is raised: Ray would try again for ever what it takes for an accident, and print where it was.

    Args:
        options: how the archive is scored.
        device: where.
        settings: that all workers have to find the same.
        output: URL or path of the results.
        work_folder: for what is needed meanwhile; None takes a folder of its own.
    """

    def __init__(
        self, options: ArchiveOptions, device: str, settings: dict[str, Any], output: str, work_folder: str | None
    ) -> None:
        self._options, self._device, self._settings, self._output = options, device, settings, output
        self._work_folder = work_folder
        self._detector: Any = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Score the shard of the one row of a batch, unless its records are there.

        Args:
            batch: ``shard``, one packed :class:`.Shard`.

        Returns:
            ``files``, the shard's number of files, and ``problem``, a sentence why it was not done; empty when it is.
        """
        (packed,) = batch["shard"]
        shard = Shard.unpack(bytes(packed))
        try:
            problem = self._score(shard)
        except Exception as error:  # the boundary of the process: the run ends with a sentence
            problem = _sentence(error)
        return {"files": [len(shard.items)], "problem": [problem]}

    def _score(self, shard: Shard) -> str:
        place = ResultPlace(self._output)
        if Path(part_name(shard.name)).name in place.names(FOLDER):  # a worker ended between writing and saying so
            return ""
        journal = Journal(place, shard.name)
        for phase in (OPENING, WRITING):
            if journal.deaths(phase) >= MOST_OPENINGS:
                return f"{MOST_OPENINGS} workers were ended while {phase}; give them more memory, or have fewer of them"
        try:
            return self._score_by(journal, shard, place)
        except Exception:
            with suppress(OSError):
                journal.remove()  # nobody was ended
            raise

    def _score_by(self, journal: Journal, shard: Shard, place: ResultPlace) -> str:
        problem = ""
        if self._detector is None:
            journal.enter(OPENING)
            problem = self._open()
        if not problem:
            from monai_anomaly.apps.archive.shard_scoring import score_shard

            folder = Path(self._work_folder or tempfile.gettempdir())
            score_shard(self._detector, shard, place, journal, maps=self._options.maps, folder=folder)
        journal.remove()
        return problem

    def _open(self) -> str:
        """Open the detector; return why what was opened is not what the run is of."""
        with hide_optional_packages():
            import monai.bundle  # noqa: F401
        import torch

        from monai_anomaly.apps.archive.settings import archive_settings, open_detector

        torch.set_num_threads(self._options.threads)
        keep_freed_memory()
        detector = open_detector(self._options, self._device)
        changed = differences(self._settings, archive_settings(detector, self._options, self._device))
        if changed:
            return (
                f"a worker's machine differs from the run's ({'; '.join(changed)}); have the same files and versions "
                "on all of them"
            )
        self._detector = detector
        return ""


def _sentence(error: Exception) -> str:
    """Return an error's sentence where it is made for people; of others the kind alone, as they may quote paths."""
    from monai_anomaly.apps.archive.fetching import FetchingError
    from monai_anomaly.utils.exceptions import CalibrationError, CheckpointError, ConfigError

    if isinstance(error, (CalibrationError, CheckpointError, ConfigError, FetchingError)):
        return str(error)
    if isinstance(error, OSError):
        return f"the results of a shard cannot be written ({error.strerror or type(error).__name__}); make room"
    return f"a shard cannot be scored ({type(error).__name__})"
