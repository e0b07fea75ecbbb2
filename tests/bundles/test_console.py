# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a person sees who trains in a terminal, and whether what it says to type next works."""

from __future__ import annotations

import re
import shlex

from monai_anomaly.bundle import TrainedDetector
from monai_anomaly.phantom.phantom import make_phantom
from tests.helpers.processes import run_fresh, run_module
from tests.helpers.tiny_bundles import config, table, tiny_words

OTHERS = ("Engine run", "input summary", "Setting logging", "Got new best", "Terminate signaled", "alembic")
"""What other libraries say of their own steps."""


def test_a_short_training_says_what_it_did_and_what_to_type_next(tmp_path):
    folder = tmp_path / "it's here"
    data = make_phantom(tmp_path / "data", num_train=12, num_val=20, num_test=12, progress=False)
    places = {"output_dir": folder / "out", "ckpt_dir": folder / "models", "max_minutes": 1e-4, "epoch_length": 30}
    words = tiny_words("sepiad", data, **places)
    ended = run_fresh(run_module, "monai.bundle", "run", "training", "--config_file", config("train"), *words)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert not any(word in ended.stdout for word in OTHERS)
    assert "12 normal images" in ended.stdout and str(data) in ended.stdout
    assert "few_normals.json" in ended.stdout
    assert re.search(r"WARNING .* 1 of 90 iterations of the training", ended.stdout)
    for line in re.findall(r"^  (/\S.*?)  +\w", ended.stdout, flags=re.MULTILINE):
        assert line.startswith(str(folder))
    commands = [shlex.split(line) for line in re.findall(r"^  (python -m .*)$", ended.stdout, flags=re.MULTILINE)]
    assert [re.search(r"(\w+)\.json", " ".join(words))[1] for words in commands] == ["calibrate", "evaluate"]
    for words in commands:
        assert words[:3] == ["python", "-m", "monai.bundle"]
        ended = run_fresh(run_module, "monai.bundle", *words[3:])
        assert ended.returncode == 0, ended.stderr[-2000:]
        assert "WARNING the training was cut short" in ended.stdout
    assert (folder / "models" / "calibration.json").is_file()
    page = (folder / "out" / "report.html").read_text()
    unfinished = TrainedDetector.read(folder / "models" / "model.pt").unfinished
    assert unfinished.endswith("1 of 90 iterations of the training") and unfinished in page
    assert len(table(folder / "out" / "scores.csv")) == 12


def test_a_verbose_training_brings_back_what_others_say(small_phantom, tmp_path):
    words = tiny_words("sepiad", small_phantom, output_dir=tmp_path, ckpt_dir=tmp_path, max_epochs=1, verbose=True)
    ended = run_fresh(run_module, "monai.bundle", "run", "training", "--config_file", config("train"), *words)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert all(word in ended.stdout for word in ("Engine run", "input summary"))
