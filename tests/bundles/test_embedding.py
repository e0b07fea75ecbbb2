# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the embedding does alone, through monai.bundle."""

from __future__ import annotations

import pytest

from monai_anomaly.bundle import TrainedDetector
from tests.helpers.tiny_bundles import Example, table, train
from tests.helpers.trained_models import assert_same, load

pytestmark = pytest.mark.usefixtures("at_root")


@pytest.fixture
def example(examples) -> Example:
    return examples("embedding")


def test_select_by_pool_tells_a_number_and_chooses_nothing(example, tmp_path):
    train(tmp_path, example.data, bundle="embedding", overlays=["select_by_pool"], val_interval=1)
    rows = table(tmp_path / "output" / "history.csv")
    assert all(0.0 <= float(row["val_pool_auroc"]) <= 1.0 for row in rows)
    model = tmp_path / "models" / "model.pt"
    assert_same(load(model)["model"], example.load()["model"])
    assert TrainedDetector.read(model).chosen_by == ""


def test_the_history_has_the_numbers_of_the_solution(example):
    rows = table(example.folder / "output" / "history.csv")
    assert {(row["normals"], row["pool"]) for row in rows} == {("12", "12")}
    assert all(0.0 <= float(row["pool_share"]) <= 1.0 for row in rows)


def test_without_a_pool_the_contrast_does_not_count(example, tmp_path):
    example.train(tmp_path, use_pool=False, max_epochs=1)
    detector = TrainedDetector.read(tmp_path / "models" / "model.pt").detector
    assert detector.score_weights[-1] == 0.0 and bool((detector.score_weights[:-1] > 0.0).all())
    assert "pool_share" not in table(tmp_path / "output" / "history.csv")[0]
