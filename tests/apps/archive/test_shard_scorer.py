# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The worker, without Ray: processes that end are played by an error that nobody catches."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import monai_anomaly as ma
from monai_anomaly.apps.archive import settings as archive_settings_module
from monai_anomaly.apps.archive.inputs import list_inputs
from monai_anomaly.apps.archive.options import ArchiveOptions
from monai_anomaly.apps.archive.settings import archive_settings, open_detector
from monai_anomaly.apps.archive.shard_scorer import ShardScorer
from monai_anomaly.apps.archive.shards import Shard, cut_shards


class Ended(BaseException):
    """Plays the end of a process."""


class Deadly:
    """A detector of which some files end the process."""

    def __init__(self, detector, poison):
        self._inner, self._poison = detector, poison
        self.scored = []

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def score_items(self, items, **options):
        for item in items:
            if item["name"] in self._poison and item.get("status") != "rejected":
                raise Ended
            self.scored.append(item["name"])
            yield from self._inner.score_items([item], **options)


@pytest.fixture(scope="module")
def options(model):
    return ArchiveOptions(str(model), source_names=True, batch_size=4, decode_limit=None)


@pytest.fixture(scope="module")
def settings(options):
    return archive_settings(open_detector(options, "cpu"), options, "cpu")


@pytest.fixture
def make_scorer(options, settings, tmp_path):
    (tmp_path / "work").mkdir()

    def make(**changed):
        return ShardScorer(replace(options, **changed), "cpu", settings, str(tmp_path / "out"), str(tmp_path / "work"))

    return make


def answer_of(scorer: ShardScorer, shard: Shard) -> str:
    answer = scorer({"shard": [shard.pack()]})
    assert answer["files"] == [len(shard.items)]
    return answer["problem"][0]


def rows_of(out: Path) -> list[dict]:
    return pq.read_table(out / "records").to_pylist()


def test_a_shard_has_the_records_and_maps_of_its_files(make_scorer, pictures, model, tmp_path):
    items = list_inputs(str(pictures), source_names=True)
    scorer = make_scorer()
    assert [answer_of(scorer, shard) for shard in cut_shards(items, 4)] == ["", "", ""]
    rows = sorted(rows_of(tmp_path / "out"), key=lambda row: row["index"])
    expected = list(ma.load(model, device="cpu").score(pictures, progress=False))
    assert [row["image"] for row in rows] == [result.name for result in expected]
    for row, result in zip(rows, expected, strict=True):
        changed = {"index", "map", "map_digest"}
        assert {k: v for k, v in row.items() if k not in changed} == {
            k: v for k, v in result.record().items() if k in row and k not in changed
        }
        if result.status == "scored":
            archive, member = row["map"].rsplit("/", 1)
            with zipfile.ZipFile(tmp_path / "out" / archive) as maps:
                assert maps.read(member).startswith(b"\x89PNG")
        else:
            assert row["map"] is None and row["code"] == "truncated"
    assert not list((tmp_path / "work").iterdir()) and not list((tmp_path / "out" / "work").iterdir())


def test_files_that_end_their_worker_are_refused_and_the_others_scored_once(
    make_scorer, options, pictures, tmp_path, monkeypatch
):
    items = list_inputs(str(pictures), source_names=True)
    poison = {items[2]["name"], items[7]["name"]}
    detectors = []

    def open_deadly(*arguments):
        detectors.append(Deadly(open_detector(*arguments), poison))
        return detectors[-1]

    monkeypatch.setattr(archive_settings_module, "open_detector", open_deadly)
    (shard,) = cut_shards(items, 100)
    ended = 0
    while True:  # as Ray does
        try:
            problem = answer_of(make_scorer(), shard)
            break
        except Ended:
            ended += 1
            assert ended < 10
    assert problem == "" and ended == 2 + 2 * len(poison)
    rows = rows_of(tmp_path / "out")
    assert [row["image"] for row in rows] == [item["name"] for item in items]
    assert {row["image"] for row in rows if row["code"] == "budget"} == poison
    assert all(row["status"] == "scored" for row in rows if row["image"] not in poison | {"a/broken.png"})
    alone = Path(tmp_path / "again")
    scorer = ShardScorer(options, "cpu", archive_settings(detectors[0], options, "cpu"), str(alone), None)
    monkeypatch.setattr(archive_settings_module, "open_detector", open_detector)
    assert answer_of(scorer, shard) == ""
    untouched = {row["image"]: row for row in rows if row["image"] not in poison}
    assert untouched == {row["image"]: row for row in rows_of(alone) if row["image"] not in poison}


def test_a_shard_that_is_done_is_left_alone(make_scorer, pictures, tmp_path):
    (shard,) = cut_shards(list_inputs(str(pictures / "b"), source_names=True), 100)
    assert answer_of(make_scorer(), shard) == ""
    part = tmp_path / "out" / "records" / "part-000000.parquet"
    part.write_bytes(b"of somebody who was quicker")
    assert answer_of(make_scorer(), shard) == ""
    assert part.read_bytes() == b"of somebody who was quicker"


def test_workers_that_end_while_they_open_end_the_run(make_scorer, pictures, monkeypatch):
    (shard,) = cut_shards(list_inputs(str(pictures / "b")), 100)

    def end(*arguments):
        raise Ended

    monkeypatch.setattr(archive_settings_module, "open_detector", end)
    for _ in range(3):
        with pytest.raises(Ended):
            answer_of(make_scorer(), shard)
    assert "3 workers were ended while opening" in answer_of(make_scorer(), shard)


def test_a_worker_that_finds_something_else_says_so(make_scorer, pictures, tmp_path):
    (shard,) = cut_shards(list_inputs(str(pictures / "b")), 100)
    problem = answer_of(make_scorer(maps="npz", aggregate="mean", uncalibrated=True), shard)
    assert "maps was png and is npz" in problem and "aggregate was max and is mean" in problem
    problem = answer_of(make_scorer(checkpoint=str(tmp_path / "gone.pt")), shard)
    assert "no such" in problem or "there is no" in problem
    assert not (tmp_path / "out" / "records").exists()
    assert not list((tmp_path / "out" / "work").iterdir())


def test_results_that_cannot_be_written_are_a_sentence_without_a_path(make_scorer, pictures, tmp_path):
    (shard,) = cut_shards(list_inputs(str(pictures / "b")), 100)
    (tmp_path / "out").write_text("no folder")
    problem = answer_of(make_scorer(), shard)
    assert "cannot be written" in problem and str(tmp_path) not in problem


def test_nifti_maps_know_where_their_pictures_lie(make_scorer, pictures, tmp_path, settings, options):
    import nibabel as nib

    (shard,) = cut_shards(list_inputs(str(pictures / "b"), source_names=True), 100)
    changed = replace(options, maps="nifti")
    scorer = ShardScorer(changed, "cpu", {**settings, "maps": "nifti"}, str(tmp_path / "out"), None)
    assert answer_of(scorer, shard) == ""
    row = rows_of(tmp_path / "out")[0]
    archive, member = row["map"].rsplit("/", 1)
    with zipfile.ZipFile(tmp_path / "out" / archive) as maps:
        image = nib.Nifti1Image.from_bytes(maps.read(member))
    assert image.shape == (56, 40, 1)
    assert json.loads(json.dumps(row["source_shape"])) == [40, 56]
