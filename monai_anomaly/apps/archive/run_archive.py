# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An archive is listed, cut into shards, and scored by Ray's workers; what is done already is not done again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from monai_anomaly.apps.archive.cluster import count_gpus, ray_session
from monai_anomaly.apps.archive.inputs import list_inputs
from monai_anomaly.apps.archive.journal import FOLDER as WORK
from monai_anomaly.apps.archive.manifest import begin_or_go_on, make_manifest
from monai_anomaly.apps.archive.options import ArchiveOptions, RunOptions
from monai_anomaly.apps.archive.place import ResultPlace
from monai_anomaly.apps.archive.record_table import FOLDER, part_name, read_counts
from monai_anomaly.apps.archive.scoring_pool import score_shards
from monai_anomaly.apps.archive.settings import archive_settings, open_detector
from monai_anomaly.apps.archive.shards import Shard, cut_shards
from monai_anomaly.handlers.scoring.inference_files import MAPS_FOLDER
from monai_anomaly.handlers.scoring.require_trained import RequireTrained
from monai_anomaly.utils.folder_lock import FolderLock

__all__ = ["SUMMARY", "run_archive"]

SUMMARY = "summary.json"
READERS = 16
"""Tables that are looked into at a time: in a store each takes a few round trips."""


def run_archive(source: str, output: str, options: ArchiveOptions, run: RunOptions) -> dict[str, Any]:
    """Score an archive, and return what ``summary.json`` says.

    Args:
        source: see :func:`~monai_anomaly.apps.archive.inputs.list_inputs`.
        output: a folder, or a URL that fsspec knows.
        options: how it is scored.
        run: how the work is dealt out.

    Raises:
        CalibrationError, CheckpointError, DataListError, ValueError: as detector and list are opened.
        ConfigError: when the output has other results, a worker finds something else than this process, or Ray ends.
        RuntimeError: when the records are not one for each file.
    """
    place = ResultPlace(output)
    items = list_inputs(source, source_names=options.source_names)
    shards = cut_shards(items, run.shard_size)
    lock = nullcontext() if place.folder is None else FolderLock({"OUT": place.folder})
    with lock, _ended_in_order(place), ExitStack() as until_end:
        if run.address is not None:  # before the manifest, which knows of GPUs
            until_end.enter_context(ray_session(run, options.threads))
        device = options.device or ("cuda" if run.gpus_per_worker != 0 and count_gpus() else "cpu")
        detector = open_detector(options, "cpu")
        RequireTrained(detector.trained).warn()
        settings = archive_settings(detector, options, device)
        begin_or_go_on(place, make_manifest(items, run.shard_size, settings), resume=run.resume)
        rest = _not_done(place, shards)
        print(
            f"Archive: {len(items)} files in {len(shards)} shards, {len(shards) - len(rest)} of them done", flush=True
        )
        if rest:
            folder = None if run.address else until_end.enter_context(ray_session(run, options.threads))
            score_shards(rest, options, run, device=device, settings=settings, output=output, work_folder=folder)
        summary = _count(place, shards)
        if summary["files"] != len(items):
            raise RuntimeError(
                f"there are {summary['files']} records of {len(items)} files; something else writes there, or the disk "
                "lost some: take another place."
            )
        place.clear(WORK)
        place.write(SUMMARY, (json.dumps(summary, indent=2) + "\n").encode())
    return summary


@contextmanager
def _ended_in_order(place: ResultPlace) -> Iterator[None]:
    """Forget what workers were at when a person ended the run: no file of theirs is to blame."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        place.clear(WORK)
        raise


def _not_done(place: ResultPlace, shards: Sequence[Shard]) -> list[Shard]:
    """Return the shards without records, after what was half written has gone."""
    for folder in (FOLDER, MAPS_FOLDER):
        place.clear_unfinished(folder)
    done = place.names(FOLDER)
    return [shard for shard in shards if PurePosixPath(part_name(shard.name)).name not in done]


def _count(place: ResultPlace, shards: Sequence[Shard]) -> dict[str, Any]:
    """Count what is in the tables, by looking into each of them."""
    totals: dict[str, Counter[str]] = {"status": Counter(), "decision": Counter()}
    files = 0
    with ThreadPoolExecutor(READERS) as threads:
        for rows, counts in threads.map(partial(read_counts, place), (shard.name for shard in shards)):
            files += rows
            for key, values in counts.items():
                totals[key] += values
    return {"files": files, "shards": len(shards), **{key: dict(values) for key, values in totals.items()}}
