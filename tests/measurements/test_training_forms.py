# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from measurements import training_forms
from measurements.training_forms import main
from monai_anomaly.networks.blocks.small_map_conv import SmallMapConv2d
from monai_anomaly.networks.blocks.winograd_conv import WinogradConv2d
from monai_anomaly.phantom.phantom import make_phantom
from tests.helpers.recipes import TINY
from tests.helpers.repository import ROOT


@pytest.fixture(scope="module")
def words(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("data") / "phantom"
    data = make_phantom(folder, num_train=8, num_val=4, num_test=2, progress=False, kind="radiograph")
    settings = {**TINY["sagan"], "dataset_dir": str(data), "max_epochs": 1, "critic::depth": 4}
    settings = {key: value for key, value in settings.items() if key not in ("epoch_length", "val_interval")}
    overrides = [word for key, value in settings.items() for word in ("--train", f"{key}={json.dumps(value)}")]
    return ["--bundle", str(ROOT / "bundles" / "sagan"), *overrides]


def test_the_earlier_form_does_the_same_and_is_timed(words, tmp_path, capsys, monkeypatch):
    seen = {}
    undo = training_forms.FORMS["earlier"]

    def look(floor):
        torch.manual_seed(5)
        seen["small maps"] = [m for m in floor.objective.modules() if isinstance(m, SmallMapConv2d)]
        undo(floor)
        seen["floor"] = floor

    monkeypatch.setitem(training_forms.FORMS, "earlier", look)
    numbers = tmp_path / "numbers.json"
    arguments = [*words, "--form", "earlier", "--rounds", "2", "--iterations", "1", "--json", str(numbers)]
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("an iteration in processor time: as it is ")
    assert len(json.loads(numbers.read_text())["earlier"]["ratios"]) == 2
    assert seen["small maps"]
    modules = list(seen["floor"].objective.modules())
    assert not [m for m in modules if isinstance(m, (SmallMapConv2d, WinogradConv2d))]
    assert any(type(m) is nn.Conv2d for m in modules)
    assert not any(group["fused"] for o in seen["floor"].optimizers.values() for group in o.param_groups)


def test_trainings_with_and_without_bfloat16_are_told_with_their_auc(words, capsys):
    assert main([*words, "--auc", "--form", "as it is", "--form", "bfloat16"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["as it is", "bfloat16"]
    assert all("AUC" in line for line in lines)


def test_an_unknown_form_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--form", "nothing"])
    assert "--form must be one of earlier" in capsys.readouterr().err
