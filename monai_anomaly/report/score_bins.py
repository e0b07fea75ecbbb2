# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""Scores counted in bins that a few far ones do not squash, with a bin at each end for what lies beyond."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Beyond", "ScoreBins", "bin_scores"]

REACH = 15
"""Typical distances from a class's middle to where its scores are beyond the axis: 10 standard deviations of a normal
distribution."""

GAP, END = 0.03, 0.08
"""Widths of the gap before the bin at an end and of this bin, as shares of the axis."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Beyond:
    """How many scores are below and above the axis, and the lowest and the highest of all."""

    n_low: int
    n_high: int
    lowest: float
    highest: float


@dataclass(frozen=True)
class ScoreBins:
    """Scores of both classes in the same bins.

    Args:
        low: lowest value of the axis.
        high: highest value of the axis.
        edges: of all bins, rising, shape ``(bins + 1,)``: those from `low` to `high`, all of one width, and where
            something lies beyond, an empty one as a gap and one that holds all of it.
        counts: scores of each bin, normal and abnormal, shape ``(2, bins)``; together they are all scores.
        beyond: what the bins at the ends hold.
    """

    low: float
    high: float
    edges: Floats
    counts: npt.NDArray[np.int64]
    beyond: Beyond

    @property
    def shares(self) -> Floats:
        """Share of its class in each bin, shape ``(2, bins)``."""
        return self.counts / np.maximum(1, self.counts.sum(axis=1, keepdims=True))

    def place(self, value: float) -> float:
        """Return where a value is on the axis: itself, or the middle of the bin that stands for what is beyond."""
        first, second, *_, before_last, last = self.edges.tolist()
        if value < self.low:
            return float(first + second) / 2
        return float(before_last + last) / 2 if value > self.high else value


def bin_scores(labels: npt.NDArray[np.int64], scores: Floats, marks: Iterable[float] = ()) -> ScoreBins:
    """Count the scores of both classes in bins.

    The axis has all values that are within ``REACH`` typical distances of the middle of one of the classes; a
    typical distance is the median one from the class's median. One score, however far, moves neither.

    Args:
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        scores: finite, shape ``(N,)``, N at least 1.
        marks: further values to show on the axis, under the same rule.
    """
    low, high = _axis(labels, scores, np.asarray(list(marks), dtype=np.float64))
    n_bins = int(np.clip(2 * np.cbrt(len(scores)), 8, 40))  # Rice's rule, within what the eye can use
    inner = np.linspace(low, high, n_bins + 1)
    everything = np.concatenate([scores, np.asarray(list(marks), dtype=np.float64)])
    before, behind = bool((everything < low).any()), bool((everything > high).any())
    gap, end = GAP * (high - low), (GAP + END) * (high - low)
    if behind:  # a bin holds its left edge: the highest score of the axis is not beyond it
        inner[-1] = np.nextafter(high, np.inf)
    edges = np.concatenate([[low - end, low - gap] * before, inner, [high + gap, high + end] * behind])
    clipped = np.where(scores < low, edges[0], np.where(scores > high, edges[-1], scores))
    counts = np.stack([np.histogram(clipped[labels == label], edges)[0] for label in (0, 1)])
    beyond = Beyond(int((scores < low).sum()), int((scores > high).sum()), float(scores.min()), float(scores.max()))
    return ScoreBins(low, high, edges, counts, beyond)


def _axis(labels: npt.NDArray[np.int64], scores: Floats, marks: Floats) -> tuple[float, float]:
    reaches = [_reach(scores[labels == label]) for label in (0, 1) if (labels == label).any()]
    values = np.concatenate([scores, marks])
    near = values[np.any([(values >= low) & (values <= high) for low, high in reaches], axis=0)]
    low, high = float(near.min()), float(near.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # all equal: one bar in the middle
        return low - max(abs(low), 1.0) / 2, high + max(abs(high), 1.0) / 2
    return low, high


def _reach(scores: Floats) -> tuple[float, float]:
    """Return between which values scores of a class are near it."""
    middle = np.median(scores)
    distances = np.abs(scores - middle)
    typical = np.median(distances)
    if typical == 0 and distances.any():  # more than half are equal: of those that are not
        typical = np.median(distances[distances > 0])
    return float(middle - REACH * typical), float(middle + REACH * typical)
