# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A run that goes on leaves, byte for byte, what a run that was never ended leaves."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_anomaly.data.lists.frame_items import expand_frames
from monai_anomaly.data.sets.records import RecordDataset
from monai_anomaly.engines.evaluator import EvaluatorRun, isolate_failures
from monai_anomaly.handlers.scoring.earlier_results import EarlierResults
from monai_anomaly.handlers.scoring.inference_writer import InferenceWriter
from monai_anomaly.scoring.source_pictures import SourcePictures
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.dicom_files import make_dataset, save
from tests.helpers.stub_evaluator import StubDetector, make_evaluator

SETTINGS = {"frames": "middle", "maps": "png", "overlays": True, "false_alarm_rate": 0.1}
PREPROCESSING = Preprocessing(image_size=16)
N_FILES = 8


def _picture(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 25 * (seed % 10) + 6, (48, 90), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Eight files, one of which is no picture; two have the same name in folders of their own."""
    folder = tmp_path / "in"
    for number in range(N_FILES):
        path = folder / f"{number // 4}" / f"{number % 4}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        _picture(path, number)
    (folder / "0" / "2.png").write_bytes(b"none")
    return folder


def _items(folder: Path, **more) -> list[dict]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    named = [{"image": str(path), "name": path.relative_to(folder).as_posix()} for path in paths]
    return [item | {"index": index} | more for index, item in enumerate(named)]


class Killed(BaseException):
    """Ends a run without a word, as a kill does."""


def _infer(files: Path, out: Path, *, resume: bool = False, kill_after: int | None = None, **settings) -> list[int]:
    """Score files; the numbers in the data list of those that went through the evaluator."""
    more = {"frames": settings["frames"]} if "frames" in settings else {}
    settings, items = SETTINGS | settings, _items(files, **more)
    earlier = EarlierResults(out, items, settings, PREPROCESSING.count_frames) if resume else None
    to_score = items if earlier is None else earlier.to_score
    expanded = expand_frames(to_score, settings["frames"], PREPROCESSING.count_frames)
    writer = InferenceWriter(
        out,
        (0.0, 2.0),
        maps=settings["maps"],
        overlays=settings["overlays"],
        sources=SourcePictures(items, PREPROCESSING.reader),
        network=StubDetector(),
        gallery=4,
        settings=settings,
        earlier=earlier,
    )
    data = RecordDataset(expanded, PREPROCESSING, PREPROCESSING.image_shape, input_digest=True)
    evaluator = make_evaluator(data, [writer], writer.network, iteration_update=isolate_failures)
    if kill_after is not None:
        append = writer._records.__class__.append

        def killing(self, record):
            append(self, record)
            if self.counts.total() == kill_after:
                raise Killed

        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            patch.setattr(writer._records.__class__, "append", killing)
            EvaluatorRun(evaluator).run()
    else:
        EvaluatorRun(evaluator).run()
    return [item["index"] for item in to_score]


def _content(out: Path) -> dict[str, bytes]:
    content = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    page = content["index.html"].decode()
    content["index.html"] = re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d", "", page).encode()  # the time of the run
    return content


@pytest.mark.parametrize("kill_after", [1, 5, N_FILES])
def test_a_run_that_was_killed_goes_on(files, tmp_path, kill_after, capsys):
    _infer(files, tmp_path / "whole")
    _infer(files, tmp_path / "out", kill_after=kill_after)
    assert os.listdir(tmp_path / "out") == ["partial-1"]
    assert _infer(files, tmp_path / "out", resume=True) == sorted({2, *range(kill_after, N_FILES)})
    assert _content(tmp_path / "out") == _content(tmp_path / "whole")
    kept = kill_after - (kill_after > 2)
    assert f"Resuming: {kept} of 8 files are kept; to score: " in capsys.readouterr().out


def test_a_run_that_is_killed_again_and_again_comes_to_its_end(files, tmp_path):
    _infer(files, tmp_path / "whole")
    for kill_after in (3, 1, 5, 2, 7):
        _infer(files, tmp_path / "out", resume=True, kill_after=kill_after)
    assert _infer(files, tmp_path / "out", resume=True) == [2, 7]
    assert _content(tmp_path / "out") == _content(tmp_path / "whole")


@pytest.mark.parametrize("cut", [1, 30])
def test_a_last_line_that_was_cut_is_scored_again(files, tmp_path, cut):
    _infer(files, tmp_path / "whole")
    _infer(files, tmp_path / "out", kill_after=5)
    path = tmp_path / "out" / "partial-1" / "records.jsonl.partial"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][: -min(cut, len(lines[-1]))])
    assert _infer(files, tmp_path / "out", resume=True) == ([2, 4, 5, 6, 7] if cut > 1 else [2, 5, 6, 7])
    assert _content(tmp_path / "out") == _content(tmp_path / "whole")


def test_a_nightly_run_scores_what_is_new_or_changed_and_drops_what_is_gone(files, tmp_path, capsys):
    _infer(files, tmp_path / "out")
    _picture(files / "0" / "00.png", 11)  # every number but the first counts on
    _picture(files / "1" / "1.png", 12)
    (files / "1" / "0.png").unlink()
    assert _infer(files, tmp_path / "out", resume=True) == [1, 3, 5]
    assert "Resuming: 5 of 8 files are kept; to score: 1 changed, 1 new, 1 not scored before" in capsys.readouterr().out
    _infer(files, tmp_path / "whole")
    assert _content(tmp_path / "out") == _content(tmp_path / "whole")


def test_with_nothing_to_score_the_results_are_written_anew(files, tmp_path, capsys):
    (files / "0" / "2.png").unlink()
    _infer(files, tmp_path / "out")
    before = _content(tmp_path / "out")
    assert _infer(files, tmp_path / "out", resume=True) == []
    assert _content(tmp_path / "out") == before
    assert "7 files = 7 scored + 0 rejected + 0 failed; 7 of them were scored before" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "how"),
    [("maps/000004_0.png", "missing"), ("overlays/000004_0.png", "flipped"), ("maps/000004_0.png", "cut")],
)
def test_a_map_or_overlay_that_is_missing_or_damaged_is_made_again(files, tmp_path, name, how):
    _infer(files, tmp_path / "out")
    before, path = _content(tmp_path / "out"), tmp_path / "out" / name
    data = bytearray(path.read_bytes())
    path.unlink()
    if how != "missing":
        data[-20] ^= 1
        path.write_bytes(data if how == "flipped" else data[:40])
    assert _infer(files, tmp_path / "out", resume=True) == [2, 4]
    assert _content(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"false_alarm_rate": 0.05}, "false_alarm_rate was 0.1 and is 0.05"),
        ({"maps": "npz", "weights": "a" * 64}, "maps was png and is npz; weights was nothing and is aaaaaaaaaaaa..."),
    ],
)
def test_records_of_other_settings_are_not_kept_and_that_is_said(files, tmp_path, capsys, settings, said):
    _infer(files, tmp_path / "out")
    _infer(files, tmp_path / "out", kill_after=4)
    assert _infer(files, tmp_path / "out", resume=True, **settings) == list(range(N_FILES))
    text = capsys.readouterr().out
    assert f"Nothing is kept of '{tmp_path / 'out' / 'records.jsonl'}': {said}." in text
    assert f"partial-1/records.jsonl.partial': {said}." in text
    _infer(files, tmp_path / "whole", **settings)
    assert _content(tmp_path / "out") == _content(tmp_path / "whole")


def test_results_that_do_not_say_how_they_were_made_are_not_kept(files, tmp_path, capsys):
    _infer(files, tmp_path / "out")
    (tmp_path / "out" / "run.json").unlink()
    assert _infer(files, tmp_path / "out", resume=True) == list(range(N_FILES))
    assert "there is no run.json beside it" in capsys.readouterr().out


def test_of_a_cine_the_same_frames_are_kept(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (5, 48, 90), np.uint8)
    folder = tmp_path / "in"
    folder.mkdir()
    save(folder / "cine.dcm", make_dataset(frames))
    _picture(folder / "still.png", 1)
    out = tmp_path / "out"
    _infer(folder, out, frames="all")
    before = _content(out)
    assert _infer(folder, out, frames="all", resume=True) == [] and _content(out) == before
    settings = json.loads((out / "run.json").read_text())
    for item, expected in (({"frame": 2}, [0, 1]), ({"frame": 0}, [0]), ({"frames": "every:2"}, [0]), ({}, [])):
        items = [known | item for known in _items(folder)]
        earlier = EarlierResults(out, items, settings, PREPROCESSING.count_frames)
        assert [known["index"] for known in earlier.to_score] == expected
    _infer(folder, out)
    assert _infer(folder, out, resume=True) == []


def test_a_run_without_resume_begins_anew_and_a_failure_leaves_the_results_before(files, tmp_path):
    _infer(files, tmp_path / "out")
    before = _content(tmp_path / "out")
    _infer(files, tmp_path / "out", kill_after=4, false_alarm_rate=0.2)
    there = _content(tmp_path / "out")
    assert {name: data for name, data in there.items() if not name.startswith("partial-1/")} == before
    assert len(there) > len(before)
    _infer(files, tmp_path / "out", kill_after=2, false_alarm_rate=0.3)
    partials = [path.name for path in (tmp_path / "out").glob("partial-*")]
    assert partials == ["partial-1"]  # of the last run alone
    assert _infer(files, tmp_path / "out") == list(range(N_FILES))
    assert _content(tmp_path / "out") == before


def test_a_file_that_goes_while_the_page_is_made_has_no_card(files, tmp_path):
    _infer(files, tmp_path / "out")
    cards = (tmp_path / "out" / "index.html").read_text().count('id="image-')
    items = _items(files)
    earlier = EarlierResults(tmp_path / "out", items, SETTINGS, PREPROCESSING.count_frames)
    (files / "1" / "3.png").unlink()
    data = RecordDataset(earlier.to_score, PREPROCESSING, PREPROCESSING.image_shape, input_digest=True)
    sources = SourcePictures(items, PREPROCESSING.reader)
    writer = InferenceWriter(
        tmp_path / "out", overlays=True, sources=sources, gallery=4, settings=SETTINGS, earlier=earlier
    )
    EvaluatorRun(make_evaluator(data, [writer])).run()
    assert (tmp_path / "out" / "index.html").read_text().count('id="image-') == cards - 1 > 0
    assert len((tmp_path / "out" / "records.jsonl").read_text().splitlines()) == N_FILES
