# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from monai_anomaly.report.charts import histogram_chart
from monai_anomaly.report.score_bins import bin_scores

RANDOM = np.random.default_rng(0)
USUAL = RANDOM.normal(size=200)


def split(scores) -> tuple[np.ndarray, np.ndarray]:
    scores = np.asarray(scores, dtype=np.float64)
    return np.arange(len(scores)) % 2, scores


@pytest.mark.parametrize(
    "scores",
    [
        USUAL,
        USUAL - 50,  # negative
        np.full(20, 0.3),
        np.zeros(20),
        [0.5],
        [0.1, 0.2],
        [0.1, 0.1, 0.1, 7.0],
        [*USUAL, 1e9],
        [*USUAL, -1e9, 1e9],
        RANDOM.lognormal(sigma=3, size=300),
        [0.0] * 50 + [1.0, 1.0, 1.0],
    ],
)
def test_every_score_is_in_one_bin_and_the_axis_rises(scores):
    labels, scores = split(scores)
    bins = bin_scores(labels, scores)
    assert bins.counts.sum(axis=1).tolist() == [(labels == 0).sum(), (labels == 1).sum()]
    assert (np.diff(bins.edges) > 0).all() and bins.low < bins.high
    inside = (scores >= bins.low) & (scores <= bins.high)
    assert inside.sum() + bins.beyond.n_low + bins.beyond.n_high == len(scores)
    first, last = bins.counts[:, 0].sum(), bins.counts[:, -1].sum()
    assert first == bins.beyond.n_low or not bins.beyond.n_low
    assert last == bins.beyond.n_high or not bins.beyond.n_high
    assert "NaN" not in histogram_chart(bins) and "inf" not in histogram_chart(bins)


def test_scores_without_outliers_are_counted_as_numpy_counts_them():
    labels, scores = split(USUAL)
    bins = bin_scores(labels, scores)
    assert (bins.low, bins.high) == (scores.min(), scores.max()) and bins.beyond.n_low == bins.beyond.n_high == 0
    for label in (0, 1):
        expected = np.histogram(scores[labels == label], len(bins.edges) - 1, (bins.low, bins.high))[0]
        assert bins.counts[label].tolist() == expected.tolist()


@pytest.mark.parametrize("far", [1e3, 1e9, -1e9])
def test_one_outlier_does_not_squash_the_rest(far):
    labels, scores = split([*USUAL, far])
    bins = bin_scores(labels, scores)
    assert (bins.low, bins.high) == (USUAL.min(), USUAL.max())
    assert (bins.beyond.n_low, bins.beyond.n_high) == ((0, 1) if far > 0 else (1, 0))
    text = histogram_chart(bins)
    assert f"1 are {'above' if far > 0 else 'below'}" in text and ("&gt;" if far > 0 else "&lt;") in text


def test_few_scores_with_an_outlier():
    bins = bin_scores(np.array([0, 0, 0, 1, 1, 1]), np.array([0.1, 0.2, 0.3, 0.2, 0.4, 1e6]))
    assert (bins.low, bins.high, bins.beyond.n_high) == (0.1, 0.4, 1)


def test_a_rare_class_far_away_is_no_outlier():
    scores = np.concatenate([USUAL, [99.0, 100.0, 101.0]])
    bins = bin_scores(np.array([0] * 200 + [1] * 3), scores)
    assert bins.high == 101.0 and bins.beyond.n_high == 0


def test_a_far_threshold_does_not_squash_the_scores_either():
    labels, scores = split(USUAL)
    near = bin_scores(labels, scores, [USUAL.max() + 1])
    assert near.high == USUAL.max() + 1 and near.place(0.5) == 0.5
    far = bin_scores(labels, scores, [1e6])
    assert far.high == USUAL.max() < far.place(1e6) < far.edges[-1]
    assert far.beyond.n_high == 0 and far.counts[:, -1].sum() == 0
