# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""SIGTERM and Ctrl-C end a run at its next step; what is resumed equals what was never ended."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ignite.engine import Events

from monai_anomaly.apps.command import main as command
from monai_anomaly.engines.stopping import StopAtStep
from tests.helpers.tiny_bundles import config, tiny_words

pytestmark = pytest.mark.usefixtures("at_root")


@pytest.fixture
def ended(monkeypatch, capfd) -> Iterator[Callable[..., str]]:
    """Give a function that runs a line of ``monai.bundle``, signals itself in a step, and returns the sentence."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def run(number: signal.Signals, step: int, *words: str) -> str:
        def attach(self: StopAtStep, engine) -> None:
            engine.add_event_handler(Events.ITERATION_STARTED(once=step), lambda: os.kill(os.getpid(), number))
            original(self, engine)

        original = StopAtStep.attach
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as caught:
            patch.setattr(StopAtStep, "attach", attach)
            patch.setattr(sys, "argv", ["monai.bundle", "run", *words])
            runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
        assert caught.value.code == 128 + number
        lines = [line for line in capfd.readouterr().err.splitlines() if "ended by" in line]
        (sentence,) = lines
        return sentence[sentence.index("ended by") :]

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def training(example, folder: Path) -> list[str]:
    places = {"output_dir": folder / "output", "ckpt_dir": folder / "models"}
    words = tiny_words(example.name, example.data, **places)  # the features' training has but two steps
    return ["training", "--config_file", config("train"), *words]


@pytest.mark.parametrize(("number", "step", "epoch"), [(signal.SIGTERM, 3, 1), (signal.SIGINT, 4, 2)])
def test_a_training_is_the_same_when_it_is_resumed(examples, ended, tmp_path, number, step, epoch):
    example = examples("sepiad")
    told = ended(number, step, *training(example, tmp_path))
    assert told == (
        f"ended by {number.name} after step {step} of 6; '{tmp_path / 'models' / 'checkpoint.pt'}' has the state after "
        f"epoch {epoch}, to go on from with --resume True."
    )
    assert not (tmp_path / "models" / "model.pt").exists()
    example.train(tmp_path, resume=True)
    for name in ("model.pt", "checkpoint.pt"):
        assert (tmp_path / "models" / name).read_bytes() == (example.folder / "models" / name).read_bytes()


@pytest.mark.parametrize("name", ["evaluate", "calibrate", "inference"])
def test_scoring_ends_after_its_batch(trained, small_phantom, ended, tmp_path, name):
    place = ["--calibration", str(tmp_path / "calibration.json")]
    place = place if name == "calibrate" else ["--output_dir", str(tmp_path), "--uncalibrated", "True"]
    model = str(trained / "models" / "model.pt")
    data = ["--checkpoint", model, "--dataset_dir", str(small_phantom), "--batch_size", "2", "--device", "cpu"]
    told = ended(signal.SIGINT, 1, "--config_file", config(name), *place, *data)
    assert told.startswith("ended by SIGINT after step 1 of ")
    found = sorted(path.name for path in tmp_path.iterdir())
    if name == "inference":
        (records,) = tmp_path.rglob("records.jsonl.partial")
        assert len(records.read_text().splitlines()) == 2
    else:
        assert found == []


def test_ctrl_c_before_a_run_begins_is_one_sentence(monkeypatch, capsys):
    def interrupt(words: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_run", interrupt)
    assert command.main(["train"]) == 130
    assert capsys.readouterr().err == "ended by SIGINT.\n"
