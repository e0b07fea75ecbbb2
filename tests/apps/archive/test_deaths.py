# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Deaths, with Ray itself: of the command, of workers by one file again and again, and of a node."""

from __future__ import annotations

import os
import signal

import pytest

from measurements.archive.__main__ import main
from measurements.archive.processes import descendants, lives
from monai_anomaly.apps.archive import scoring_pool
from monai_anomaly.apps.archive.options import ArchiveOptions, RunOptions
from monai_anomaly.apps.archive.run_archive import run_archive
from monai_anomaly.apps.archive.shard_scorer import ShardScorer
from tests.helpers.processes import FreshProcess
from tests.helpers.ray_runs import LIMIT, await_that, predict, rows_of

pytestmark = pytest.mark.ray

POISON = "b/3.png"


class DeadlyScorer(ShardScorer):
    """A worker that one file ends, as one does for which there is not enough memory."""

    def _open(self):
        problem = super()._open()
        score_items = self._detector.score_items

        def deadly(items, **words):
            for item in items:
                if item["name"] == POISON and item.get("status") != "rejected":
                    os.kill(os.getpid(), signal.SIGKILL)
                yield from score_items([item], **words)

        self._detector.score_items = deadly
        return problem


def score_with_poison(source, output, options, run):
    scoring_pool.ShardScorer = DeadlyScorer
    run_archive(source, output, options, run)


@pytest.mark.parametrize(("workers", "shard_size"), [(2, 5), (1, 1)], ids=["alone", "beside the next shard"])
def test_a_file_that_ends_every_worker_is_refused(model, pictures, tmp_path, workers, shard_size):
    options = ArchiveOptions(str(model), device="cpu", source_names=True, decode_limit=None)
    run = RunOptions(workers=workers, shard_size=shard_size)
    done = FreshProcess(score_with_poison, str(pictures), str(tmp_path / "out"), options, run).wait(2 * LIMIT)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = rows_of(tmp_path / "out")
    assert [row["index"] for row in rows] == list(range(10))
    refused = {row["image"]: row["code"] for row in rows if row["status"] != "scored"}
    assert refused == {POISON: "budget", "a/broken.png": "truncated"}


def test_a_command_that_was_killed_goes_on(model, pictures, tmp_path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    words = ["--checkpoint", model, "--device", "cpu", "--engine", "ray", "--workers", 1, "--shard_size", 1]
    run = predict(pictures, out, *words)
    await_that(lambda: any((out / "records").glob("*.parquet")))
    of_ray = [process for process, _ in descendants(run.pid)]
    os.kill(run.pid, signal.SIGKILL)
    assert run.wait().returncode == -signal.SIGKILL
    await_that(lambda: not any(map(lives, of_ray)))
    before = {path: path.stat().st_mtime_ns for path in (out / "records").glob("*.parquet")}
    again = predict(pictures, out, *words, "--resume").wait(LIMIT)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"10 files in 10 shards, {len(before)} of them done" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert predict(pictures, whole, *words).wait(LIMIT).returncode == 0
    assert rows_of(out) == rows_of(whole)


def test_a_command_ends_in_order_at_a_signal(model, pictures, tmp_path):
    out = tmp_path / "out"
    words = ["--checkpoint", model, "--device", "cpu", "--engine", "ray", "--workers", 1, "--shard_size", 1]
    run = predict(pictures, out, *words)
    await_that(lambda: any((out / "work").glob("*.json")))
    of_ray = [process for process, _ in descendants(run.pid)]
    os.kill(run.pid, signal.SIGTERM)
    done = run.wait(LIMIT)
    assert done.returncode == 143 and "ended by SIGTERM; the shards so far are kept" in done.stderr
    await_that(lambda: not any(map(lives, of_ray)))
    assert not (out / "work").exists() and (out / "manifest.json").is_file()


def measure(*words):
    raise SystemExit(main(words))


def test_nodes_lose_nothing_when_one_is_killed(model, tmp_path):
    words = [str(tmp_path), f"--checkpoint={model}", "--files=120", "--only=nodes"]
    done = FreshProcess(measure, *words).wait(4 * LIMIT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("every file one record, the same scores") == 2
