# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The command with Ray: what ``predict`` says of the same files, though a worker is killed."""

from __future__ import annotations

import json
import zipfile

from measurements.archive.processes import descendants, kill_a_worker, lives
from tests.helpers.ray_runs import LIMIT, await_that, predict, rows_of


def test_a_killed_worker_costs_nothing(model, pictures, tmp_path):
    plain, out = tmp_path / "plain", tmp_path / "out"
    shared = ["--checkpoint", model, "--device", "cpu", "--overlays", "False"]
    assert predict(pictures, plain, *shared).wait().returncode == 0
    run = predict(pictures, out, *shared[:-2], "--engine", "ray", "--workers", 2, "--shard_size", 3)
    await_that(lambda: any((out / "work").glob("*.json")))
    of_ray = dict(descendants(run.pid))
    kill_a_worker(run.pid)
    done = run.wait(LIMIT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Archive: 10 files in 4 shards, 0 of them done" in done.stdout
    assert "Inference: 10 files = 9 scored + 1 rejected + 0 failed" in done.stdout
    rows = rows_of(out)
    records = [json.loads(line) for line in (plain / "records.jsonl").read_text().splitlines()]
    assert [row["image"] for row in rows] == [record["image"] for record in records]
    for row, record in zip(rows, records, strict=True):
        assert {k: v for k, v in row.items() if k not in ("index", "map")} == {
            k: v for k, v in record.items() if k in row and k != "map"
        }
        if record["map"] is not None:
            archive, member = row["map"].rsplit("/", 1)
            with zipfile.ZipFile(out / archive) as maps:
                assert maps.read(member) == (plain / record["map"]).read_bytes()
    assert json.loads((out / "summary.json").read_text())["files"] == 10
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "maps", "records", "summary.json"]
    await_that(lambda: not any(map(lives, of_ray)))
