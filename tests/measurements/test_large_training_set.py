# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from measurements import large_training_set
from measurements.large_training_set import CASES, MILLION, compare_caches, main, make_pictures, peak_mib


def test_pictures_differ_and_a_quarter_of_them_is_a_list_of_its_own(tmp_path):
    make_pictures(tmp_path, 8, 20)
    lists = {part: json.loads((tmp_path / part / "dataset.json").read_text()) for part in ("all", "a quarter")}
    assert [len(lists[part]["training"]) for part in lists] == [8, 2]
    paths = [tmp_path / "all" / entry["image"] for section in lists["all"].values() for entry in section]
    pictures = [np.asarray(Image.open(path)) for path in paths]
    assert {picture.shape for picture in pictures} == {(20, 20)} and len({p.tobytes() for p in pictures}) == len(paths)
    before = [path.stat().st_mtime_ns for path in paths]
    make_pictures(tmp_path, 8, 20)
    assert [path.stat().st_mtime_ns for path in paths] == before


def test_the_peak_is_that_of_this_process():
    before = peak_mib()
    held = np.ones(2**25)  # 256 MiB
    assert peak_mib() >= max(before, held.nbytes / 2**20)


@pytest.fixture
def answers(monkeypatch):
    """Replace the processes: each takes memory and time in proportion to its images."""
    asked = []

    def run(words, **_):
        settings = json.loads(words[words.index("--one") + 1])
        asked.append(settings)
        images = 10 if settings["dataset_dir"].endswith("quarter") else 40
        told = {"start_s": 1.0 + images, "start_cpu_s": 2.0 * images, "peak_mib": 100.0 + images}
        rest = {"iteration_cpu_s": 0.2, "over_floor": 1.1, "end_s": 3.0}
        return SimpleNamespace(stdout="said before\n" + json.dumps(told | rest))

    monkeypatch.setattr(large_training_set.subprocess, "run", run)
    return asked


def test_a_million_is_on_the_line_through_both_sizes(tmp_path, answers, capsys):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "old.images").touch()
    result = compare_caches(str(tmp_path), images=40, size=8, json_path=tmp_path / "numbers.json")
    assert result["million"] == {"peak_mib": 100.0 + MILLION, "start_cpu_s": 2.0 * MILLION, "start_s": 1.0 + MILLION}
    assert json.loads((tmp_path / "numbers.json").read_text()) == result
    assert [settings["cache"] for settings in answers] == ["disk", "disk", "disk", "disk", "memory", "none"]
    assert not list((tmp_path / "cache").iterdir())  # the first start is one
    printed = capsys.readouterr().out
    assert all(case in printed for case in CASES)


def test_one_training_is_measured_as_it_is(tmp_path, capsys):
    make_pictures(tmp_path, 12, 32)
    tiny = {"generator::channels": 4, "generator::residual_blocks": 1, "generator::unshuffle": 1}
    settings = {
        **{"dataset_dir": str(tmp_path / "all"), "allow_outside": str(tmp_path / "pictures"), "device": "cpu"},
        **{"cache": "disk", "cache_dir": str(tmp_path / "cache"), "image_size": 32, "epoch_length": 1, "batch_size": 4},
        **{"use_pool": False, **tiny},
    }
    assert main([str(tmp_path), "--one", json.dumps(settings), "--epochs", "1"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0 < told["before_mib"] <= told["start_mib"] <= told["peak_mib"]
    assert told["start_s"] > 0 and told["over_floor"] > 0 and len(list((tmp_path / "cache").iterdir())) == 2


def test_a_bundle_that_is_solved_has_one_pass_and_no_floor(tmp_path, capsys):
    make_pictures(tmp_path, 12, 32)
    tiny = {"location": None, "segmenter": False, "backbone": "resnet18", "backbone_weights": "random"}
    stage = {"stages": ["stage1"], "statistics": ["mean"]}
    settings = {
        **{"dataset_dir": str(tmp_path / "all"), "allow_outside": str(tmp_path / "pictures"), "device": "cpu"},
        **{"image_size": 32, "epoch_length": 1, "batch_size": 4, "use_pool": False},
        **{"distances": [{"kind": "cosine", **stage}], "contrast": stage, **tiny},
    }
    words = [str(tmp_path), "--bundle", "bundles/embedding", "--epochs", "1", "--one", json.dumps(settings)]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0 < told["before_mib"] <= told["start_mib"] <= told["peak_mib"] and told["iteration_cpu_s"] > 0
    assert "over_floor" not in told
    assert (tmp_path / "training" / "models" / "model.pt").is_file()
