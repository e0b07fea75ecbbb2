# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What ``--tracking mlflow`` leaves of a resumed training, and of its evaluation, read by MLflow's own client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from monai.utils import optional_import

from tests.helpers.tiny_bundles import evaluate, table, train
from tests.helpers.trained_models import spec_args

mlflow, has_mlflow = optional_import("mlflow")
pytestmark = [
    pytest.mark.usefixtures("at_root"),
    pytest.mark.skipif(not has_mlflow, reason="mlflow is not installed: pip install -e '.[mlflow]'"),
]


def test_a_training_and_its_evaluation_are_tracked(small_phantom, tmp_path, capfd):
    output = tmp_path / "output"
    train(tmp_path, small_phantom, max_epochs=2, tracking="mlflow")
    train(tmp_path, small_phantom, max_epochs=4, resume=True, tracking="mlflow", run_name="resumed")
    evaluate(tmp_path, small_phantom, output, tracking="mlflow", run_name="evaluated")
    assert f"mlflow ui --backend-store-uri sqlite:///{output}/mlruns.db" in capfd.readouterr().out
    client = mlflow.MlflowClient(f"sqlite:///{output}/mlruns.db")
    (experiment,) = (found for found in client.search_experiments() if found.name == "monai_experiment")
    evaluated, resumed, first = client.search_runs([experiment.experiment_id])  # the latest first
    assert {run.info.status for run in (evaluated, resumed, first)} == {"FINISHED"}
    assert numbers_of(client, resumed) == history_of(output / "history.csv")
    assert [epoch for epoch, _ in numbers_of(client, first)["loss"]] == [1, 2]
    assert numbers_of(client, first)["val_auroc"] == [history_of(output / "history.csv")["val_auroc"][0]]
    spec = spec_args(tmp_path)
    told = {"learning_rate": spec["training"]["learning_rate"], "latent_channels": 8, "detector": "SEPIAD"}
    told |= {"image_size": 32, "batch_size": 4, "max_epochs": 4, "max_minutes": None, "frames": "middle"}
    assert {key: resumed.data.params[key] for key in told} == {key: str(value) for key, value in told.items()}
    assert files_of(client, resumed) > {"history.csv", "losses.csv", "loss_curves.svg"}
    assert files_of(client, evaluated) > {"metrics.json", "report.html", "scores.csv"}
    for run in (evaluated, resumed, first):
        assert sum(name.startswith("config_") for name in files_of(client, run)) == 1
    assert 0 <= evaluated.data.metrics["auroc"] <= 1 and len(evaluated.data.params["model_hash"]) == 64
    assert str(tmp_path) not in str([resumed.data.params, evaluated.data.params])


def numbers_of(client: Any, run: Any) -> dict[str, list[tuple[int, float]]]:
    """Return step and value of each metric that MONAI's handlers do not write."""
    names = run.data.metrics.keys() - {"train_loss", "auroc"}
    return {name: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)] for name in names}


def history_of(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Return epoch and value of each number of a history."""
    rows = table(path)
    names = rows[0].keys() - {"epoch", "iteration"}
    return {name: [(int(row["epoch"]), float(row[name])) for row in rows if row[name]] for name in names}


def files_of(client: Any, run: Any) -> set[str]:
    return {file.path for file in client.list_artifacts(run.info.run_id)}
