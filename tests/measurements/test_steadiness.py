# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from measurements.steadiness import format_table, main, perturb
from monai_anomaly.phantom.phantom import make_phantom
from tests.helpers.repository import ROOT
from tests.helpers.tiny_bundles import TINY


def test_a_run_adds_its_row_and_is_not_made_twice(tmp_path, capsys):
    phantom = make_phantom(tmp_path / "phantom", num_train=8, num_val=4, num_test=4, progress=False)
    tiny = {**TINY["sepiad"], "dataset_dir": str(phantom), "adversarial": False, "max_epochs": 1}
    overrides = [f"--train={key}={json.dumps(value)}" for key, value in tiny.items()]
    common = [f"--bundle={ROOT / 'bundles' / 'sepiad'}", "--seeds=2", *overrides]
    table = tmp_path / "table.csv"
    assert main([*common, f"--table={table}"]) == 0
    text = table.read_text()
    assert len(text.splitlines()) == 3
    assert main([*common, f"--table={table}"]) == 0
    assert table.read_text() == text
    assert "| 1 | 2 | test | " in capsys.readouterr().out


def test_a_perturbation_is_relative_and_of_its_seed():
    networks = [nn.Linear(100, 100, bias=False) for _ in range(3)]
    for network in networks:
        nn.init.ones_(network.weight)
    perturb(networks[0], 1e-3, 0)
    perturb(networks[1], 1e-3, 0)
    perturb(networks[2], 0.0, 0)
    assert torch.equal(networks[0].weight, networks[1].weight)
    assert torch.equal(networks[2].weight, torch.ones(100, 100))
    assert float((networks[0].weight.detach() - 1.0).std()) == pytest.approx(1e-3, rel=0.05)


def test_the_table_has_worst_median_and_best_of_each_way_to_run():
    rows = [
        {"torch": "2.12.1", "threads": threads, "validation": "0.9", "test": test}
        for threads, test in (("1", "0.97"), ("1", "0.90"), ("1", "0.99"), ("2", "0.95"))
    ]
    lines = format_table(rows).splitlines()
    assert "| 2.12.1 | 1 | 3 | test | 0.900 | 0.970 | 0.990 |" in lines
    assert "| 2.12.1 | 2 | 1 | test | 0.950 | 0.950 | 0.950 |" in lines


def test_an_unknown_override_is_said_before_anything_is_trained(tmp_path, capsys):
    arguments = [f"--bundle={ROOT / 'bundles' / 'sepiad'}", f"--table={tmp_path / 't.csv'}", "--train=max_epoch=1"]
    assert main(arguments) == 1
    assert "'max_epochs'" in capsys.readouterr().err
    assert not (tmp_path / "t.csv").exists()
