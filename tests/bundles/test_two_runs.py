# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Two runs never write into one folder, whichever they are."""

from __future__ import annotations

import os

import pytest

from monai_anomaly.apps.benchmark.run_benchmark import run_benchmark
from monai_anomaly.apps.command.main import main
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.other_runs import another_run
from tests.helpers.recipes import RECIPES
from tests.helpers.tiny_bundles import config, tiny_words

pytestmark = pytest.mark.usefixtures("at_root")


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("key", ["output_dir", "ckpt_dir"])
def test_a_training_is_refused(examples, small_phantom, sentence, tmp_path, name, key):
    files = [config(overlay, RECIPES[name].bundle) for overlay in ("train", *RECIPES[name].overlays)]
    members = [str(examples(member).model) for member in RECIPES[name].members]
    more = {"members": members} if members else {}
    words = tiny_words(name, small_phantom, output_dir=tmp_path / "output_dir", ckpt_dir=tmp_path / "ckpt_dir", **more)
    with another_run(tmp_path / key):
        told = sentence("training", "--config_file", str(files), *words)
        assert os.listdir(tmp_path) == [key]
    assert told == (
        f"error: another run is writing into '{tmp_path / key}': wait until it has ended, or name another {key}.\n"
    )


@pytest.mark.parametrize(
    ("name", "key"), [("evaluate", "output_dir"), ("inference", "output_dir"), ("calibrate", "calibration")]
)
def test_scoring_is_refused(trained, small_phantom, sentence, tmp_path, name, key):
    place = tmp_path / "calibration.json" if key == "calibration" else tmp_path
    model = str(trained / "models" / "model.pt")
    more = ["--uncalibrated", "True"] if name != "calibrate" else []
    words = ["--checkpoint", model, "--dataset_dir", str(small_phantom), f"--{key}", str(place), *more]
    with another_run(tmp_path):
        told = sentence("--config_file", config(name), *words)
    assert f"another run is writing into '{tmp_path}'" in told and f"name another {key}." in told
    assert os.listdir(tmp_path) == []


def test_an_export_and_a_benchmark_are_refused(trained, small_phantom, tmp_path, capsys):
    model = str(trained / "models" / "model.pt")
    with another_run(tmp_path):
        assert main(["export", model, str(tmp_path / "a.ts"), "--format", "ts", "--uncalibrated"]) == 1
        assert "name another OUT." in capsys.readouterr().err
        with pytest.raises(ConfigError, match="name another --output_dir"):
            run_benchmark(["sepiad"], [str(small_phantom)], seeds=[0], max_minutes=0.1, output_dir=tmp_path)
