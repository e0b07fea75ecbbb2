# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from monai_anomaly.transforms.score import ScoreFromMap, ScoreFromMapd


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 64, 64), (1, 33, 257)])
@pytest.mark.parametrize("kind", [torch.as_tensor, np.asarray])
def test_is_the_float64_mean_of_the_float32_map(shape, kind):
    values = np.random.default_rng(0).gamma(2.0, size=shape).astype(np.float32)
    score = ScoreFromMap()(kind(values))
    assert type(score) is float
    assert score == pytest.approx(math.fsum(values.ravel().tolist()) / values.size, rel=1e-14)


def test_float32_summation_would_not_do():
    values = torch.full((1, 2048, 2048), 0.1)
    values[0, 0, 0] = 1e7
    assert ScoreFromMap()(values) == pytest.approx((1e7 + (2048**2 - 1) * float(np.float32(0.1))) / 2048**2, rel=1e-14)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_bad_position_makes_a_bad_score(value):
    values = torch.zeros(1, 4, 4)
    values[0, 2, 1] = value
    assert not math.isfinite(ScoreFromMap()(values))


@pytest.mark.parametrize("shape", [(4, 4), (2, 4, 4), (1, 1, 4, 4), (1, 0, 4)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"\(1, H, W\)"):
        ScoreFromMap()(torch.zeros(shape))


def test_the_dictionary_form_adds_the_score_and_keeps_the_rest():
    item = {"pred": torch.full((1, 2, 2), 0.25), "name": "a.png"}
    scored = ScoreFromMapd()(item)
    assert scored == {**item, "score": 0.25}
    assert "score" not in item


def test_one_score_key_per_map():
    scored = ScoreFromMapd(("a", "b"), ("x", "y"))({"a": torch.zeros(1, 2, 2), "b": torch.ones(1, 2, 2)})
    assert (scored["x"], scored["y"]) == (0.0, 1.0)


def test_a_missing_map_is_an_error_unless_allowed():
    with pytest.raises(KeyError, match="pred"):
        ScoreFromMapd()({})
    assert ScoreFromMapd(allow_missing_keys=True)({}) == {}
