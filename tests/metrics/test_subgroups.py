# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import numpy as np
import pytest

from monai_anomaly.metrics.image_level import image_level_metrics
from monai_anomaly.metrics.subgroups import subgroup_metrics


def _case():
    random = np.random.default_rng(0)
    labels = np.arange(200) % 2
    kinds = np.array(["linear", "convex", "", None, float("nan")], dtype=object)
    probe = kinds[random.choice(5, 200, p=[0.4, 0.3, 0.1, 0.1, 0.1])]
    return labels, labels + random.normal(size=200), [f"p{i}" for i in range(200)], probe


def test_is_the_image_level_auc_of_each_value():
    labels, scores, groups, probe = _case()
    result = subgroup_metrics(labels, scores, groups, {"probe": probe, "site": [7] * 200}, seed=3)
    assert list(result) == ["probe", "site"]
    assert set(result["probe"]) == {"linear", "convex", "unknown"} and list(result["probe"])[-1] == "unknown"
    for name, chosen in (("linear", probe == "linear"), ("convex", probe == "convex")):
        found = result["probe"][name]
        whole = image_level_metrics(labels[chosen], scores[chosen], np.array(groups)[chosen], seed=3)
        assert found["auroc"]["value"] == pytest.approx(whole["auroc"], abs=1e-12)
        assert found["auroc"]["interval"] == pytest.approx(whole["auroc_interval"], abs=1e-12)
        assert (found["n_normal"], found["n_abnormal"]) == (whole["n_normal"], whole["n_abnormal"])
    unknown = ~np.isin(probe.astype(str), ("linear", "convex"))
    assert result["probe"]["unknown"]["n_groups"] == unknown.sum()
    assert list(result["site"]) == ["7"] and result["site"]["7"]["n_groups"] == 200
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_nineteen_cases_of_a_class_have_a_reason_and_no_number():
    labels, scores = np.r_[np.zeros(50), np.ones(19)], np.arange(69.0)
    found = subgroup_metrics(labels, scores, None, {"all": ["x"] * 69})["all"]["x"]
    assert found["auroc"]["value"] is None and found["auroc"]["interval"] is None
    assert "50 normal and 19 abnormal" in found["auroc"]["reason"]
    assert (found["n_normal"], found["n_abnormal"]) == (50, 19)


def test_cases_are_patients_and_not_images():
    labels, scores = np.repeat([0, 1], 40), np.random.default_rng(0).normal(size=80)
    groups = [f"p{i // 4}" for i in range(80)]  # 10 of each class
    found = subgroup_metrics(labels, scores, groups, {"all": ["x"] * 80})["all"]["x"]
    assert found["auroc"]["value"] is None and "10 normal and 10 abnormal cases" in found["auroc"]["reason"]


def test_equal_scores_of_a_subgroup_are_no_number():
    labels, scores = np.tile([0, 1], 60), np.r_[np.ones(60), np.arange(60.0)]
    result = subgroup_metrics(labels, scores, None, {"c": ["a"] * 60 + ["b"] * 60})["c"]
    assert result["a"]["auroc"]["value"] is None and "equal" in result["a"]["auroc"]["reason"]
    assert result["b"]["auroc"]["value"] is not None


def test_a_column_of_another_length_is_refused():
    with pytest.raises(ValueError, match="'probe' has 1 values for 2 images"):
        subgroup_metrics([0, 1], [0.0, 1.0], None, {"probe": ["a"]})
