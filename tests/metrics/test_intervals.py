# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from monai_anomaly.metrics.bootstrap import mean_measure
from monai_anomaly.metrics.image_level import image_level_metrics
from monai_anomaly.metrics.intervals import interval


def _scores(random, n_normal, n_abnormal, auroc, per_patient):
    """Scores of patients whose images are alike, with a known AUC: the difference of two images is normal."""
    labels = np.repeat([0, 1], [n_normal, n_abnormal])
    patient = np.repeat(np.arange(len(labels)), per_patient)
    shared, own = (np.sqrt(0.6), np.sqrt(0.4)) if per_patient > 1 else (1.0, 0.0)
    noise = shared * random.normal(size=len(labels))[patient] + own * random.normal(size=len(patient))
    return labels[patient], np.sqrt(2) * norm.ppf(auroc) * labels[patient] + noise, patient.astype(str).tolist()


@pytest.mark.parametrize(
    ("n_normal", "n_abnormal", "per_patient", "auroc"),
    [(33, 120, 1, 0.9), (20, 20, 1, 0.97), (20, 20, 3, 0.8)],
)
def test_covers_a_known_auc(n_normal, n_abnormal, per_patient, auroc):
    """92 to 98 % of 300 repetitions were measured; fewer here, so that the bounds are those of chance around them."""
    random = np.random.default_rng(5)
    covered = 0
    for repetition in range(120):
        case = _scores(random, n_normal, n_abnormal, auroc, per_patient)
        low, high = image_level_metrics(*case, seed=repetition, n_bootstrap=200)["auroc_interval"]
        covered += low <= auroc <= high
    assert 0.90 <= covered / 120 < 1.0


def test_a_perfect_separation_is_not_certain():
    low, high = image_level_metrics(np.repeat([0, 1], 20), np.arange(40.0))["auroc_interval"]
    assert high == 1.0
    assert 0.85 < low < 0.95  # Newcombe (2006), method 5: .91
    fewer = image_level_metrics(np.repeat([0, 1], 5), np.arange(10.0))["auroc_interval"]
    assert fewer[0] < low


def test_worst_separation_mirrors_the_best():
    best = image_level_metrics(np.repeat([0, 1], 20), np.arange(40.0))["auroc_interval"]
    worst = image_level_metrics(np.repeat([1, 0], 20), np.arange(40.0))["auroc_interval"]
    assert worst == pytest.approx([1 - best[1], 1 - best[0]], abs=1e-12)


def test_is_near_wilson_s_for_a_share():
    values = np.r_[np.ones(30), np.zeros(70)]
    found = mean_measure(values, np.arange(100), seed=0, n_bootstrap=4000)
    wilson = binomtest(30, 100).proportion_ci(method="wilson")
    assert found["value"] == 0.3
    assert found["interval"] == pytest.approx([wilson.low, wilson.high], abs=0.01)


def test_works_on_curves():
    random = np.random.default_rng(0)
    resampled = np.clip(random.normal([0.2, 0.5, 1.0], 0.05, size=(500, 3)), 0, 1)
    low, high = interval([0.2, 0.5, 1.0], resampled, cases=30, effective=30)
    for k, value in enumerate((0.2, 0.5, 1.0)):
        one = interval(value, resampled[:, k], cases=30, effective=30)
        assert [low[k], high[k]] == pytest.approx([float(end) for end in one])
    assert low[2] < 0.95 and high[2] == 1.0
