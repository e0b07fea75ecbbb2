# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigParser
from PIL import Image

from measurements.timings import ComputeFloor, time_bundle, write_pictures
from monai_anomaly.__main__ import main
from monai_anomaly.phantom.phantom import make_phantom
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.repository import ROOT

BUNDLE = ROOT / "bundles" / "sepiad"

TINY: dict[str, Any] = {
    "image_size": 32,
    "encoder_channels": [4, 4, 4, 4],
    "decoder_channels": [4, 4, 4, 4],
    "critic_channels": [4, 4, 4, 4],
    "latent_channels": 8,
    "feature_layers": ["r22"],
    "feature_width": 0.1,
    "batch_size": 4,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> Path:
    return make_phantom(tmp_path_factory.mktemp("data") / "phantom", num_train=8, num_val=4, num_test=2, progress=False)


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """Return the only folder where temporary files can be."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_both_ratios_are_measured_and_nothing_is_left(phantom, temporary, tmp_path, capsys):
    overrides = [f"--train={k}={json.dumps(v)}" for k, v in {**TINY, "dataset_dir": str(phantom)}.items()]
    sizes = ["--images=5", "--rounds=2", "--iterations=2", "--inference=batch_size=4", '--inference=device="cpu"']
    path = tmp_path / "numbers.json"
    assert main(["timings", f"--bundle={BUNDLE}", f"--json={path}", *sizes, *overrides]) == 0

    numbers = json.loads(path.read_text())
    for name in ("training", "scoring"):
        assert len(numbers[name]["ratios"]) == 2
        assert all(math.isfinite(r) and r > 0 for r in numbers[name]["ratios"])
        assert min(numbers[name]["ratios"]) == numbers[name]["ratio_min"]
    assert numbers["training"]["units_per_round"] == 2
    table = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in table[1:3]] == ["training iteration", "scoring 5 PNG"]
    assert not any(line.startswith(("Inference:", "Records:")) for line in table)
    assert list(temporary.iterdir()) == []


def test_an_error_leaves_nothing_either(phantom, temporary):
    with pytest.raises(ConfigError, match=r"inference\.json has no 'batch_sise'"):
        time_bundle(
            BUNDLE,
            images=1,
            rounds=1,
            iterations=1,
            train={**TINY, "dataset_dir": str(phantom)},
            inference={"batch_sise": 4},
        )
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("adversarial", [True, False])
def test_floor_does_the_work_of_an_iteration(phantom, tmp_path, adversarial):
    """Neither more nor less: without augmentation and policy, it ends with the trainer's weights."""
    own = {"augment": None, "policy_interval": None, "lr_decay": False, "adversarial": adversarial}
    trainer = _trainer(phantom, tmp_path, **own)
    floors: list[ComputeFloor] = []

    def step_first(engine: Any) -> None:
        torch.manual_seed(7)
        floors.append(ComputeFloor(engine))
        torch.manual_seed(7)
        floors[0].step()
        torch.manual_seed(7)

    trainer.add_event_handler(Events.ITERATION_STARTED, step_first)
    before = {k: v.clone() for k, v in trainer.objective.state_dict().items() if isinstance(v, torch.Tensor)}
    trainer.run()
    ours, floor = trainer.objective.state_dict(), floors[0].objective.state_dict()
    assert all(torch.equal(ours[k], floor[k]) for k in before)
    changed = {k.split(".")[0] for k in before if not torch.equal(ours[k], before[k])}
    assert changed == ({"detector", "image_critic", "latent_critic"} if adversarial else {"detector"})


def test_floor_leaves_the_trainer_alone(phantom, tmp_path):
    trainer = _trainer(phantom, tmp_path)
    before = {k: v.clone() for k, v in trainer.objective.state_dict().items() if isinstance(v, torch.Tensor)}
    floor = ComputeFloor(trainer)
    floor.step()
    assert all(torch.equal(trainer.objective.state_dict()[k], v) for k, v in before.items())
    assert trainer.objective.augment is not None
    assert floor.objective.augment is None and floor.objective.policy_interval is None


def _trainer(data: Path, folder: Path, **overrides: Any) -> Any:
    """Return the bundle's trainer for one iteration, with all its handlers."""
    own = {"dataset_dir": str(data), "output_dir": str(folder), "bundle_root": str(BUNDLE)}
    config = ConfigParser()
    config.read_config(BUNDLE / "configs" / "train.json")
    for key, value in {**TINY, **own, "max_epochs": 1, "epoch_length": 1, **overrides}.items():
        config[key] = value
    return config.get_parsed_content("train#trainer")


def test_pictures_are_gray_png_of_a_photograph_s_weight(tmp_path):
    write_pictures(tmp_path / "a", 2)
    write_pictures(tmp_path / "b", 2)
    first, second = sorted((tmp_path / "a").iterdir())
    assert first.read_bytes() == (tmp_path / "b" / first.name).read_bytes()
    assert first.read_bytes() != second.read_bytes()
    assert 25_000 < first.stat().st_size < 60_000
    with Image.open(first) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "L", (256, 256))
        values = np.asarray(image)
    assert values.std() > 20
    assert np.isin(values, (0, 255)).mean() < 0.1


def test_folder_that_is_no_bundle(tmp_path, temporary, capsys):
    assert main(["timings", f"--bundle={tmp_path}"]) == 1
    assert "is no bundle" in capsys.readouterr().err
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-verb"],
        ["timings", "--rounds=0"],
        ["timings", "--images=many"],
        ["timings", "--train=batch_size"],
    ],
)
def test_senseless_command_line(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "usage: python -m monai_anomaly" in capsys.readouterr().err


def test_help_names_the_verbs_without_importing_monai():
    script = "import sys, runpy\nsys.argv = ['x', '--help']\ntry:\n    runpy.run_module('monai_anomaly', run_name='__main__')\nexcept SystemExit as e:\n    print(e.code, {'monai', 'torch'} & set(sys.modules))\n"  # noqa: E501
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "timings" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 set()"
