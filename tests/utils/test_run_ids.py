# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.utils.config_files import read_configs
from monai_anomaly.utils.run_ids import runnable_ids
from tests.helpers.repository import ROOT

BUNDLES = sorted(path.parent.parent.name for path in (ROOT / "bundles").glob("*/configs/train.json"))
RUNS = {"train": "training", "evaluate": "evaluating", "calibrate": "calibrate", "inference": "inferring"}


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize(("name", "run_id"), RUNS.items())
def test_what_the_pages_call_runs_in_every_bundle(bundle, name, run_id):
    config = read_configs([ROOT / "bundles" / bundle / "configs" / f"{name}.json"])
    assert set(runnable_ids(config)) - {"pretraining"} == {run_id, "run"}


def test_lists_of_values_and_of_components_run_nothing():
    config = {
        "imports": ["$import torch"],
        "initialize": ["$f()"],
        "finalize": ["$f()"],
        "handlers": [{"_target_": "a.B"}],
        "betas": [0.5, 0.9],
        "names": ["a", "$b"],
        "parts": ["@a"],
        "empty": [],
        "first": ["@a", "$f()"],
        "second": "%first",
        "lost": "%nothing",
        "itself": "%itself",
        "run": "$f()",
    }
    assert runnable_ids(config) == ["first", "second", "run"]
