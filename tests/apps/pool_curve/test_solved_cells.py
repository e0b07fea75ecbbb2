# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from monai_anomaly.apps.benchmark.cell import read_data
from monai_anomaly.apps.benchmark.variants import read_variant
from monai_anomaly.apps.pool_curve.pool_cell import pool_cells
from monai_anomaly.apps.pool_curve.pool_splits import write_split
from monai_anomaly.apps.pool_curve.solved_cells import SolvedRunner, is_solved
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.pool import load_pool
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.engines.objectives.embedding import EmbeddingObjective
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.repository import ROOT

TINY = "embedding backbone_weights=random image_size=32 folds=2"


@pytest.fixture
def split(tmp_path, monkeypatch) -> Path:
    """Noise, darker where it is abnormal, and a split of it."""
    monkeypatch.chdir(ROOT)
    rng, root = np.random.default_rng(0), tmp_path / "noise"
    for section, name, count, top in (
        ("train", "normal", 14, 200),
        ("test", "normal", 8, 200),
        ("test", "abnormal", 12, 120),
    ):
        (root / section / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, top, (32, 32)).astype(np.uint8)
            Image.fromarray(pixels).save(root / section / name / f"{number}.png")
    write_split(root, 1, tmp_path / "split")
    return tmp_path / "split"


def read(items: list) -> torch.Tensor:
    return CachedDataset(items, Preprocessing(32, 1)).images[:]


@pytest.mark.filterwarnings("ignore:random backbone weights")
def test_scores_are_those_of_a_training_on_the_images(split, tmp_path):
    cells = [*pool_cells([read_variant(TINY)], [[read_data(split)]], [6], [0.5], 1.0)]
    runner = SolvedRunner(lambda cell, folder: pytest.fail("nothing else is run"))
    for cell in cells[1:]:  # the first one has no pool
        result = runner(cell, tmp_path)
        (bank,) = runner._banks.values()
        pool = load_pool(split, size=6, anomaly_ratio=cell.draw.share) if cell.draw.used else []
        normals, tested = load_datalist(split, "training"), load_datalist(split, "test")
        detector = copy.deepcopy(bank.detector)
        groups, pool_groups = ([item["group"] for item in items] for items in (normals, pool))
        objective = EmbeddingObjective(detector, groups, pool_groups, folds=2, seed=cell.seed)
        objective.collect({"image": read([*normals, *pool]), "row": torch.arange(len(normals) + len(pool))})
        objective.solve()
        with torch.no_grad():
            expected = detector.eval()(read(tested)).mean(dim=(1, 2, 3))
        (row,) = result["rows"]
        np.testing.assert_allclose(row["scores"], expected, rtol=2e-3, atol=2e-3)
        assert result["names"] == [item["name"] for item in tested]
        assert result["labels"] == [item["label"] for item in tested]
        assert row["auroc"] == pytest.approx(roc_auc_score(result["labels"], row["scores"]))
        assert (row["status"], row["n_rejected"], row["split"]) == ("done", 0, cell.seed)


def test_what_is_solved(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert is_solved(read_variant(TINY)) and not is_solved(read_variant("sagan"))
