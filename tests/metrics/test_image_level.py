# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from scipy.stats import t as student_t
from sklearn.metrics import average_precision_score, roc_auc_score

from monai_anomaly.metrics import bootstrap
from monai_anomaly.metrics.image_level import ImageAUROC, image_level_metrics
from monai_anomaly.transforms.score import ScoreFromMapd
from monai_anomaly.utils.identity import keyed_hash


def _case(seed: int, n: int, n_groups: int, decimals: int = 9):
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(n) % 2)
    scores = np.round(labels + random.normal(size=n), decimals)
    groups = [f"p{g}" for g in random.integers(n_groups, size=n)]
    return labels, scores, groups


def _slow_interval(labels, scores, groups, seed, n_bootstrap):
    """The definition: draw patients, put their images together, ask scikit-learn; one resample at a time.

    Then the interval on the scale of the logit, in plain words; see metrics/intervals.py.
    """
    members = [np.flatnonzero(np.asarray(groups) == g) for g in dict.fromkeys(groups)]
    draws = np.random.default_rng(seed).integers(len(members), size=(n_bootstrap, len(members)))
    values = []
    for draw in draws:
        chosen = np.concatenate([members[g] for g in draw])
        if len(set(labels[chosen])) == 2:
            values.append(roc_auc_score(labels[chosen], scores[chosen]))
    auc = roc_auc_score(labels, scores)
    cases = min(len({g for g, y in zip(groups, labels, strict=True) if y == label}) for label in (0, 1))
    error = np.sqrt((cases * np.var(values) + 2 * _model_variance(auc, labels, groups)) / (cases + 2))
    error = error / (auc * (1 - auc))
    ends = math.log(auc / (1 - auc)) + student_t(cases - 1).ppf([0.025, 0.975]) * error
    return 1 / (1 + np.exp(-ends)), len(values)


def _model_variance(auc, labels, groups):
    """Hanley and McNeil (1982) with Newcombe's (2006) mean of the two sizes, of patients."""
    n, m = (len({g for g, y in zip(groups, labels, strict=True) if y == label}) for label in (0, 1))
    a = max(auc, 1 - auc)
    q1, q2 = a / (2 - a), 2 * a**2 / (1 + a)
    return (a * (1 - a) + ((n + m) / 2 - 1) * (q1 + q2 - 2 * a**2)) / (n * m)


@pytest.mark.parametrize("decimals", [9, 1, 0])  # 0: nearly all scores tied
@pytest.mark.parametrize(("n", "n_groups"), [(10, 5), (60, 13), (200, 200)])
def test_equals_scikit_learn_and_the_slow_bootstrap(n, n_groups, decimals):
    labels, scores, groups = _case(n + decimals, n, n_groups, decimals)
    result = image_level_metrics(labels, scores, groups, seed=3, n_bootstrap=150)
    assert result["auroc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert result["average_precision"] == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    interval, n_valid = _slow_interval(labels, scores, groups, 3, 150)
    assert result["auroc_interval"] == pytest.approx(list(interval), abs=1e-9)
    assert result["n_bootstrap"] == n_valid
    assert (result["n_normal"], result["n_abnormal"]) == (n // 2, n // 2)
    assert result["n_groups"] == len(set(groups))


def test_working_in_pieces_changes_nothing(monkeypatch):
    case = _case(0, 50, 11)
    whole = image_level_metrics(*case, n_bootstrap=101)
    monkeypatch.setattr(bootstrap, "_CHUNK", 500)
    assert image_level_metrics(*case, n_bootstrap=101) == whole


def test_what_groups_are_called_changes_nothing():
    labels, scores, groups = _case(2, 60, 13)
    plain = image_level_metrics(labels, scores, groups)
    for key in (b"the key of one site", b"the key of another"):
        assert image_level_metrics(labels, scores, [keyed_hash(g, key, "patient") for g in groups]) == plain


def test_is_seeded_and_json():
    case = _case(1, 40, 10)
    first = image_level_metrics(*case, seed=1)
    assert first == image_level_metrics(*case, seed=1)
    assert first["auroc_interval"] != image_level_metrics(*case, seed=2)["auroc_interval"]
    assert json.loads(json.dumps(first, allow_nan=False)) == first


def test_fewer_patients_give_a_wider_interval():
    random = np.random.default_rng(0)
    patient = np.arange(20)
    labels = np.repeat(patient % 2, 10)
    scores = np.repeat(patient % 2 + random.normal(size=20), 10) + 1e-3 * random.normal(size=200)
    by_patient = image_level_metrics(labels, scores, [str(p) for p in np.repeat(patient, 10)])["auroc_interval"]
    by_image = image_level_metrics(labels, scores)["auroc_interval"]
    assert np.ptp(by_patient) > 2 * np.ptp(by_image)


def test_one_group_has_no_interval():
    result = image_level_metrics([0, 1, 1], [0.1, 0.2, 0.3], ["p", "p", "p"])
    assert result["auroc"] == 1.0
    assert result["auroc_interval"] is None
    assert result["n_bootstrap"] == 0


def test_no_resamples_no_interval():
    assert image_level_metrics([0, 1], [0.1, 0.2], n_bootstrap=0)["auroc_interval"] is None


def test_equal_scores_are_an_error():
    with pytest.raises(ValueError, match="All 4 scores are equal"):
        image_level_metrics([0, 1, 0, 1], [2.0] * 4)


@pytest.mark.parametrize(
    ("labels", "scores", "match"),
    [
        ([0, 0], [0.1, 0.2], "only normal images .*undefined"),
        ([1, 1], [0.1, 0.2], "only abnormal images .*undefined"),
        ([], [], "no images .*undefined"),
        ([0, 1, 2], [0.1, 0.2, 0.3], "Labels must be 0"),
        ([0, 1], [0.1], "one value per image"),
        ([0, 1, 1, 0], [0.1, math.nan, math.inf, 0.0], "'b.png' is nan, and 2 of 4"),
    ],
)
def test_bad_input_is_one_clear_sentence(labels, scores, match):
    with pytest.raises(ValueError, match=match):
        image_level_metrics(labels, scores, names=["a.png", "b.png", "c.png", "d.png"][: len(scores)])


def test_groups_of_another_length_are_refused():
    with pytest.raises(ValueError, match="groups must have one entry per image"):
        image_level_metrics([0, 1], [0.1, 0.2], ["p"])


def test_a_score_without_a_name_is_counted():
    with pytest.raises(ValueError, match="number 1"):
        image_level_metrics([0, 1], [0.1, -math.inf])


def _evaluator(items):
    return SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(items), batch_size=3),
        network=torch.nn.Identity(),
        postprocessing=ScoreFromMapd(),
        key_val_metric={"val_auroc": ImageAUROC()},
    )


def _items(labels, values):
    return [{"image": torch.full((1, 4, 4), float(v)), "label": y} for y, v in zip(labels, values, strict=True)]


def test_is_a_key_metric_of_a_stock_evaluator():
    labels, scores, _ = _case(5, 31, 31, 1)
    evaluator = _evaluator(_items(labels.tolist(), scores))
    for epoch in (1, 2):
        evaluator.run(epoch)
        assert evaluator.state.metrics["val_auroc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-6)
    assert evaluator.state.best_metric == evaluator.state.metrics["val_auroc"]


@pytest.mark.parametrize(
    ("labels", "values", "reason"),
    [
        ([0, 0, 0, 0], [1, 2, 3, 4], "label 0"),
        ([1, 1], [1, 2], "label 1"),
        ([0, 1, 0], [1, math.nan, 2], "finite"),
        ([0, 1], [3, 3], "equal"),
    ],
)
def test_an_undefined_validation_auc_is_nan_with_one_warning_per_run(labels, values, reason):
    evaluator = _evaluator(_items(labels, values))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for epoch in (1, 2, 3):
            evaluator.run(epoch)
            assert math.isnan(evaluator.state.metrics["val_auroc"])
    messages = [str(w.message) for w in caught if "AUC" in str(w.message)]
    assert len(messages) == 1 and reason in messages[0]
