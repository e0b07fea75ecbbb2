# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A run in this process: what Ray does is done by a worker here."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import fsspec
import pytest

from monai_anomaly.apps.archive import run_archive as module
from monai_anomaly.apps.archive.options import ArchiveOptions, RunOptions
from monai_anomaly.apps.archive.run_archive import run_archive
from monai_anomaly.apps.archive.shard_scorer import ShardScorer
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.ray_runs import rows_of

RUN = RunOptions(workers=1, shard_size=4)


@pytest.fixture
def options(model):
    return ArchiveOptions(str(model), device="cpu", maps="none", decode_limit=None)


@pytest.fixture
def sent(monkeypatch):
    """The numbers of the shards that went to workers; after as many as ``sent.end`` the run is ended."""

    class Sent(list):
        end = None

    sent = Sent()

    def score(shards, options, run, *, device, settings, output, work_folder):
        scorer = ShardScorer(options, device, settings, output, work_folder)
        for shard in shards:
            if sent.end == len(sent):
                raise SystemExit(143)
            assert scorer({"shard": [shard.pack()]})["problem"] == [""]
            sent.append(shard.number)

    monkeypatch.setattr(module, "score_shards", score)
    monkeypatch.setattr(module, "ray_session", lambda *_: nullcontext(None))
    return sent


def test_a_run_that_was_ended_goes_on_with_the_shards_that_lack(options, pictures, sent, tmp_path, capsys):
    out = tmp_path / "out"
    whole = run_archive(str(pictures), str(tmp_path / "whole"), options, RUN)
    assert whole == {
        "files": 10,
        "shards": 3,
        "status": {"scored": 9, "rejected": 1},
        "decision": {"normal": 9},
    }
    sent.clear()
    sent.end = 2
    with pytest.raises(SystemExit):
        run_archive(str(pictures), str(out), options, RUN)
    assert not (out / "summary.json").exists() and not (out / "work").exists()
    (out / "records" / "part-000001.parquet").unlink()
    (out / "records" / ".part-000001.parquet.tmp-0123456789abcdef").write_bytes(b"ha")
    sent.end = None
    sent.clear()
    with pytest.raises(ConfigError, match="go on with --resume"):
        run_archive(str(pictures), str(out), options, RUN)
    with pytest.raises(ConfigError, match="guard was True and is False"):
        run_archive(str(pictures), str(out), replace(options, guard=False), replace(RUN, resume=True))
    assert sent == []
    assert run_archive(str(pictures), str(out), options, replace(RUN, resume=True)) == whole
    assert sent == [1, 2]
    assert rows_of(out) == rows_of(tmp_path / "whole")
    assert run_archive(str(pictures), str(out), options, replace(RUN, resume=True)) == whole
    assert sent == [1, 2] and "10 files in 3 shards, 3 of them done" in capsys.readouterr().out
    assert sorted(path.name for path in (out / "records").iterdir()) == [f"part-00000{n}.parquet" for n in range(3)]


def test_from_a_store_to_a_store(options, pictures, sent, tmp_path):
    system = fsspec.filesystem("memory")
    for path in pictures.rglob("*.png"):
        system.pipe_file(f"/in/{path.relative_to(pictures).as_posix()}", path.read_bytes())
    try:
        run_archive("memory://in", "memory://results/of/them", replace(options, maps="png"), RUN)
        run_archive(f"file://{pictures}", f"file://{tmp_path}/out", replace(options, maps="png"), RUN)
        run_archive(str(pictures), str(tmp_path / "plain"), replace(options, maps="png"), RUN)
        system.get("/results/of/them/", f"{tmp_path}/from_store/", recursive=True)
    finally:
        system.rm("/in", recursive=True)
        system.rm("/results", recursive=True)
    plain = rows_of(tmp_path / "plain")
    assert sum(row["map"] is not None for row in plain) == 9
    for out in (tmp_path / "out", tmp_path / "from_store"):
        assert rows_of(out) == plain
        for number in range(3):
            name = f"maps/part-00000{number}.zip"
            assert (out / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()


def test_records_that_are_not_one_for_each_file_end_the_run(options, pictures, sent, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "read_counts", lambda *_: (1, {}))
    with pytest.raises(RuntimeError, match="3 records of 10 files"):
        run_archive(str(pictures), str(tmp_path / "out"), options, RUN)
    assert not (tmp_path / "out" / "summary.json").exists()


def test_two_runs_do_not_write_into_one_folder(options, pictures, sent, tmp_path, monkeypatch):
    def busy(folders):
        raise ConfigError(f"another run is writing into '{folders['OUT']}'")

    monkeypatch.setattr(module, "FolderLock", busy)
    with pytest.raises(ConfigError, match="another run"):
        run_archive(str(pictures), str(tmp_path / "out"), options, RUN)
    assert sent == []
