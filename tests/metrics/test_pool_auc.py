# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from sklearn.metrics import roc_auc_score

from monai_anomaly.metrics.pool_auc import PoolAUROC, describe_pool_auroc, pool_auroc
from monai_anomaly.transforms.score import ScoreFromMapd


def test_is_exact_where_the_pool_s_normals_are_the_held_out_ones():
    """Then a normal of the pool wins exactly half of the time, and the correction has no chance in it."""
    random = np.random.default_rng(0)
    normal, abnormal = random.normal(size=60), random.normal(1.0, size=40)
    direct = roc_auc_score(np.repeat([0, 1], [60, 40]), np.r_[normal, abnormal])
    pool = np.r_[normal, abnormal]
    assert pool_auroc(normal, pool, normal_share=0.6) == pytest.approx(direct, abs=1e-12)
    assert pool_auroc(normal, pool) == pytest.approx(0.3 + 0.4 * direct, abs=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_is_near_the_direct_auc_of_labeled_images(share):
    random = np.random.default_rng(1)
    normal, others = random.normal(size=4000), random.normal(size=round(8000 * share))
    abnormal = random.normal(1.2, size=8000 - len(others))
    direct = roc_auc_score(np.repeat([0, 1], [4000, len(abnormal)]), np.r_[normal, abnormal])
    found = pool_auroc(normal, np.r_[others, abnormal], normal_share=share)
    assert found == pytest.approx(direct, abs=0.01 / (1 - share) ** 0.5 * 2)


@pytest.mark.parametrize(
    ("share", "correction"),
    [
        (None, "not corrected for the pool's normals"),
        (0.5, "corrected for a share of 0.5 normals in it"),
        (0.0, "corrected for a share of 0 normals in it"),
    ],
)
def test_is_named_with_its_correction(share, correction):
    assert describe_pool_auroc(share) == f"the AUC of held-out normals against an unlabeled pool, {correction}"


def test_the_ranking_of_detectors_does_not_depend_on_the_share():
    random = np.random.default_rng(2)
    cases = [(random.normal(size=50), random.normal(gain, size=80)) for gain in (0.1, 1.0, 0.4, 2.0)]
    rankings = {tuple(np.argsort([pool_auroc(*case, share) for case in cases])) for share in (None, 0.0, 0.5, 0.9)}
    assert len(rankings) == 1


def test_is_not_cut_off():
    assert pool_auroc([0.0, 1.0], [2.0, 3.0], normal_share=0.5) == 1.5


@pytest.mark.parametrize(
    ("normal", "pool", "share", "match"),
    [
        ([], [1.0], None, "0 held-out normals"),
        ([1.0], [], None, "0 unlabeled"),
        ([1.0, math.nan], [2.0], None, "not finite"),
        ([1.0, 1.0], [1.0], None, "all scores are equal"),
        ([1.0], [2.0], 1.0, "below 1"),
        ([1.0], [2.0], -0.1, "below 1"),
        ([1.0], [2.0], math.nan, "below 1"),
    ],
)
def test_bad_input_is_one_clear_sentence(normal, pool, share, match):
    with pytest.raises(ValueError, match=match):
        pool_auroc(normal, pool, share)


def _run(labels, values, epochs=1, **arguments):
    items = [{"image": torch.full((1, 4, 4), float(v)), "label": y} for y, v in zip(labels, values, strict=True)]
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(items), batch_size=3),
        network=torch.nn.Identity(),
        postprocessing=ScoreFromMapd(),
        key_val_metric={"pool_auroc": PoolAUROC(**arguments)},
    )
    for epoch in range(1, epochs + 1):
        evaluator.run(epoch)
    return evaluator.state.metrics["pool_auroc"]


@pytest.mark.parametrize("share", [None, 0.25])
def test_is_a_key_metric_that_never_looks_at_labeled_abnormal_images(share):
    random = np.random.default_rng(3)
    labels = np.r_[np.zeros(9), -np.ones(13), np.ones(5)].astype(int)
    values = random.normal(size=27).astype(np.float32)
    values[labels == 1] = np.nan  # would show
    expected = pool_auroc(values[labels == 0], values[labels == -1], share)
    shuffled = random.permutation(27)
    found = _run(labels[shuffled].tolist(), values[shuffled], epochs=2, normal_share=share)
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("labels", "values", "reason"),
    [
        ([0, 0, 1], [1, 2, 3], "0 unlabeled images"),
        ([-1, -1], [1, 2], "0 held-out normals"),
        ([0, -1], [1, math.nan], "not finite"),
        ([0, -1], [2, 2], "equal"),
    ],
)
def test_undefined_is_nan_with_one_warning_per_run(labels, values, reason):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert math.isnan(_run(labels, values, epochs=3))
    messages = [str(w.message) for w in caught if "pool" in str(w.message)]
    assert len(messages) == 1 and reason in messages[0]


def test_a_share_that_is_none_is_refused_before_training():
    with pytest.raises(ValueError, match="below 1"):
        PoolAUROC(normal_share=1.0)
