# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The overlay that chooses a checkpoint by unlabeled images, through monai.bundle."""

from __future__ import annotations

import copy
import json

import pytest

from monai_anomaly.data.errors import DataListError
from monai_anomaly.handlers.training import best_weights
from tests.helpers.recipes import TINY
from tests.helpers.tiny_bundles import evaluate, table, train
from tests.helpers.trained_models import assert_same, load


@pytest.mark.parametrize("name", [name for name in TINY if name != "embedding"])  # whose pass is one epoch
def test_the_best_epoch_becomes_the_model_and_the_report_says_so(examples, name, tmp_path, at_root, monkeypatch):
    example, seen = examples(name), {}

    class Watched(best_weights.BestWeights):
        def _look(self, engine):
            super()._look(engine)
            seen[engine.state.epoch] = copy.deepcopy(self.network.state_dict())

    monkeypatch.setattr(best_weights, "BestWeights", Watched)
    pool = {"pool_dir": str(example.data / "test"), "pool_normal_share": 0.5}
    train(tmp_path, example.data, bundle=example.bundle, overlays=["select_by_pool"], val_interval=1, **pool)

    rows = table(tmp_path / "output" / "history.csv")
    values = [float(row["val_pool_auroc"]) for row in rows]
    best = values.index(max(values)) + 1
    model, checkpoint = (load(tmp_path / "models" / f"{name}.pt") for name in ("model", "checkpoint"))
    assert_same(model["model"], dict(seen[best]))
    assert_same(checkpoint["model"], dict(seen[3]))  # a resumed run goes on from the last weights
    rule = model["data"]["checkpoint rule"]
    assert f"epoch {best}, the best of 3" in rule and "unlabeled pool" in rule and "share of 0.5" in rule
    assert model["data"]["unlabeled images of the pool"] == 12
    assert model["data"]["validation images"] == 3  # its three abnormal ones are not looked at

    evaluate(tmp_path, example.data, tmp_path / "evaluation", bundle=example.bundle)
    assert json.loads((tmp_path / "evaluation" / "metrics.json").read_text())["details"]["checkpoint rule"] == rule


def test_without_a_pool_it_is_one_sentence_before_any_training(small_phantom, tmp_path, at_root):
    with pytest.raises(RuntimeError) as caught:
        train(tmp_path, small_phantom, overlays=["select_by_pool"])
    cause = caught.value.__cause__
    assert isinstance(cause, DataListError) and "--pool_dir" in str(cause)
    assert not (tmp_path / "models").exists()
