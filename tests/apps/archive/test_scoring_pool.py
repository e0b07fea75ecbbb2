# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from monai_anomaly.apps.archive import scoring_pool
from monai_anomaly.apps.archive.cluster import ray_session
from monai_anomaly.apps.archive.options import ArchiveOptions, RunOptions
from monai_anomaly.apps.archive.scoring_pool import QUEUE_FROM, _shards_at_a_worker, score_shards
from monai_anomaly.apps.archive.shards import Shard
from tests.helpers.processes import FreshProcess
from tests.helpers.ray_runs import LIMIT

WORK = 0.3
"""Seconds of a shard."""

WAIT = 0.06
"""Seconds between two shards of a worker: with the next one beside it 5 to 10 ms, else 150 to 190."""


@pytest.mark.parametrize(
    ("shards", "expected"), [(1, 1), (2 * QUEUE_FROM - 1, 1), (2 * QUEUE_FROM, 2), (100 * QUEUE_FROM, 2)]
)
def test_a_worker_has_its_next_shard_where_there_are_many(shards, expected):
    assert _shards_at_a_worker(shards, workers=2) == expected


class IdleScorer:
    """Takes its time for a shard, and notes when."""

    def __init__(self, options, device, *, folder):
        self.folder = Path(folder)

    def __call__(self, batch):
        assert os.environ["MALLOC_ARENA_MAX"] == "1"  # as the C library found it when the process began
        shard, start = Shard.unpack(bytes(batch["shard"][0])), time.time()
        time.sleep(WORK)
        (self.folder / shard.name).write_text(json.dumps([os.getpid(), start, time.time()]))
        return {"files": [0], "problem": [""]}


def run_idle(folder):
    scoring_pool.ShardScorer = IdleScorer
    run = RunOptions(workers=2)
    with ray_session(run, threads=1):
        shards = [Shard(number, []) for number in range(4 * QUEUE_FROM)]
        score_shards(shards, ArchiveOptions(""), run, device="cpu", folder=folder)


@pytest.mark.ray
def test_workers_do_not_wait_between_shards(tmp_path):
    done = FreshProcess(run_idle, str(tmp_path)).wait(LIMIT)
    assert done.returncode == 0, done.stdout + done.stderr
    spans: dict[int, list[tuple[float, float]]] = {}
    for path in tmp_path.iterdir():
        worker, start, end = json.loads(path.read_text())
        spans.setdefault(worker, []).append((start, end))
    assert len(spans) == 2 and sum(map(len, spans.values())) == 4 * QUEUE_FROM
    waits = [later[0] - earlier[1] for worker in spans.values() for earlier, later in pairwise(sorted(worker))]
    assert median(waits) < WAIT
