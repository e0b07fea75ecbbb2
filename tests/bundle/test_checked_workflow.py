# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest
from monai.bundle import create_workflow, run

from monai_anomaly.bundle import CheckedWorkflow
from monai_anomaly.utils.exceptions import ConfigError


@pytest.fixture
def config_file(tmp_path):
    """Return a small configuration, with what MONAI looks for beside it."""
    path = tmp_path / "train.json"
    path.write_text(json.dumps({"max_epochs": 3, "run": ["$print('ran with', @max_epochs)"]}))
    (tmp_path / "metadata.json").write_text("{}")
    return str(path)


@pytest.mark.parametrize("make", [create_workflow, run])
@pytest.mark.parametrize("name", [CheckedWorkflow, "monai_anomaly.bundle.CheckedWorkflow"])
def test_a_program_that_names_it_is_told_of_an_unknown_key(config_file, make, name):
    with pytest.raises(ConfigError, match=r"--max_epoch: .* the nearest known is 'max_epochs'"):
        make(workflow_name=name, config_file=config_file, max_epoch=4)


def test_known_keys_and_the_workflow_s_own_arguments_pass(config_file, capsys):
    workflow = CheckedWorkflow(config_file, workflow_type="train", logging_file=False, run_id="run", max_epochs=4)
    workflow.initialize()
    workflow.run()
    assert "ran with 4" in capsys.readouterr().out


def test_tracking_has_keys_of_its_own(config_file):
    tracking = {"handlers_id": {}, "configs": {}}
    CheckedWorkflow(config_file, tracking=tracking, experiment_name="a", save_execute_config=False)
    with pytest.raises(ConfigError, match="--experiment_name"):
        CheckedWorkflow(config_file, experiment_name="a")
