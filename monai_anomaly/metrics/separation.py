# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which of many statistics tell two sets of images apart, and what the best of so many would do by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.linear_model import Ridge

from monai_anomaly.metrics.bootstrap import bootstrap
from monai_anomaly.metrics.checked_scores import check_scores
from monai_anomaly.metrics.image_level import area_under_roc

__all__ = ["TOGETHER", "Separation", "Separations", "separate"]

TOGETHER = "all together"
"""Name of the model of all statistics."""

FOLDS = 5
MIN_IN_CATEGORY = 5
MOST_CATEGORIES = 20
SHRINKAGE = 0.1
"""Of the linear model, in units of the number of images."""
CHANCE = 0.95
ROUNDING = 1e-12
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Separation:
    """How well one statistic tells the second set from the first.

    Args:
        name: the statistic's.
        auroc: 0.5 to 1, whichever set has the higher values.
        interval: of 95 %, around `auroc`; None where there is none.
        higher: whether the second set has the higher values; None for a statistic without an order.
        p_value: how often the largest of all statistics is as large by chance.
    """

    name: str
    auroc: float
    interval: tuple[float, float] | None
    higher: bool | None
    p_value: float


@dataclass(frozen=True)
class Separations:
    """Those of all statistics, largest first, and of a linear model of all.

    Args:
        single: each statistic alone.
        together: the cross-validated model: the most that can be read from all of them.
        by_chance: the AUC that the largest of all of these stays below in 95 of 100 sets that do not differ.
    """

    single: tuple[Separation, ...]
    together: Separation
    by_chance: float

    def is_real(self, one: Separation) -> bool:
        """Whether it is more than the largest of so many is by chance."""
        return one.p_value <= 1 - CHANCE


def separate(
    numbers: Mapping[str, npt.ArrayLike],
    categories: Mapping[str, Sequence[str]],
    second: npt.ArrayLike,
    groups: Sequence[str],
    *,
    seed: int = 0,
    n_permutations: int = 499,
    n_bootstrap: int = 200,
) -> Separations:
    """Compare two sets of images in many statistics.

    A number is as good as its ROC AUC. A category, such as a device, and all statistics together are as good as the AUC
    of a linear model that other patients were used to fit. With many statistics the largest AUC is above a half where
    nothing differs; so the sets' labels are permuted among patients, and each AUC is compared with the *largest* of
    each permutation (Westfall and Young, 1993).

    Args:
        numbers: by name, finite, ``(N,)``.
        categories: by name, N texts each; of one that fewer than 5 images have, and beyond the 20 most common, all
            count as one.
        second: which of the N images are of the second set, bool ``(N,)``, some and not all.
        groups: each image's patient.
        seed: draws folds, permutations and resamples.
        n_permutations: how many.
        n_bootstrap: resamples of patients behind the intervals; 0 for no interval.

    Raises:
        ValueError: for lengths that differ, a number that is not finite, no statistic, or one set only.
    """
    labels = np.asarray(second, bool)
    columns = _check(numbers, categories, labels, groups)
    random = np.random.default_rng(seed)
    folds = _folds(groups, random)
    labelings = np.concatenate([labels[None], _permute(labels, groups, n_permutations, random)]).astype(np.float64)
    ranks = {name: _centered_ranks(values) for name, values in columns.items()}
    coded = {name: _one_hot(values) for name, values in categories.items()}
    squares = [rank**2 for rank in ranks.values()]  # a set may have both the lowest and the highest values
    together = np.column_stack([*ranks.values(), *squares, *coded.values()])
    fitted = {name: _cross_fitted(design, labelings, folds) for name, design in [*coded.items(), (TOGETHER, together)]}
    aurocs = {name: _aurocs(rank[None], labelings) for name, rank in ranks.items()}
    larger = {name: np.maximum(values, 1 - values) for name, values in aurocs.items()}
    larger |= {name: np.maximum(_aurocs(scores, labelings), 0.5) for name, scores in fitted.items()}
    chance = np.max([values[1:] for values in larger.values()], axis=0)
    found = {}
    for name, values in larger.items():
        higher = bool(aurocs[name][0] >= 0.5) if name in aurocs else None
        scores = fitted[name][0] if higher is None else ranks[name] * (1 if higher else -1)
        interval = _interval(scores, labels, groups, seed, n_bootstrap)
        p_value = float((1 + (chance >= values[0] - ROUNDING).sum()) / (1 + n_permutations))
        found[name] = Separation(name, float(values[0]), interval, higher, p_value)
    all_of_them = found.pop(TOGETHER)
    single = tuple(sorted(found.values(), key=lambda one: -one.auroc))
    return Separations(single, all_of_them, float(np.quantile(chance, CHANCE)))


def _check(
    numbers: Mapping[str, npt.ArrayLike],
    categories: Mapping[str, Sequence[str]],
    labels: npt.NDArray[np.bool_],
    groups: Sequence[str],
) -> dict[str, Floats]:
    """Return the numbers as arrays."""
    columns = {name: np.asarray(values, np.float64) for name, values in numbers.items()}
    if not columns and not categories:
        raise ValueError("there must be a statistic to compare, got none.")
    lengths = {name: len(values) for name, values in categories.items()}
    lengths |= {name: len(numeric) for name, numeric in columns.items()} | {"groups": len(groups)}
    for name, length in lengths.items():
        if length != len(labels):
            raise ValueError(f"'{name}' has {length} values for {len(labels)} images.")
    for name, numeric in columns.items():
        if not np.isfinite(numeric).all():
            raise ValueError(f"'{name}' must be finite for every image.")
    if labels.all() or not labels.any():
        raise ValueError(f"there must be images of both sets, got {labels.sum()} of {len(labels)} of the second.")
    return columns


def _folds(groups: Sequence[str], random: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return each image's fold; all images of a patient are in one."""
    codes = np.unique(np.asarray(groups, object).astype(str), return_inverse=True)[1]
    n_groups = int(codes.max()) + 1
    return np.asarray(random.permutation(np.arange(n_groups) % FOLDS)[codes])


def _permute(
    labels: npt.NDArray[np.bool_], groups: Sequence[str], count: int, random: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Return labels exchanged among patients, ``(count, N)``; one who is in both sets is two."""
    owners = [f"{int(label)} {group}" for label, group in zip(labels, groups, strict=True)]
    first, codes = np.unique(owners, return_index=True, return_inverse=True)[1:]
    shuffled = random.permuted(np.tile(labels[first], (count, 1)), axis=1)
    return np.asarray(shuffled[:, codes])


def _centered_ranks(values: Floats) -> Floats:
    """Return ranks from -1 to 1, ties at their mean: no outlier and no unit weighs in a model."""
    return np.asarray((2 * rankdata(values) - len(values) - 1) / len(values))


def _one_hot(values: Sequence[str]) -> Floats:
    """Return indicators of the common values, ``(N, at most 20)``."""
    names, counts = np.unique(np.asarray(values, object).astype(str), return_counts=True)
    common = names[np.argsort(-counts, kind="stable")][:MOST_CATEGORIES]
    common = common[np.sort(counts)[::-1][:MOST_CATEGORIES] >= MIN_IN_CATEGORY]
    return np.asarray(np.asarray(values, object)[:, None] == np.asarray(common, object), np.float64)


def _cross_fitted(design: Floats, labels: Floats, folds: npt.NDArray[np.intp]) -> Floats:
    """Return the scores of linear models for each labeling, fitted without the patients of the fold, ``(R, N)``.

    Least squares, and no logistic regression, whose scores differ little, since all labelings are solved at once. Each
    model's scores are standardized over all images: its intercept is low where the left-out fold has much of the second
    set, and would rank folds upside down.
    """
    scores = np.zeros(labels.shape)
    if (design == design[0]).all():
        return scores
    for fold in np.unique(folds):
        tested = folds == fold
        model = Ridge(alpha=SHRINKAGE * len(folds)).fit(design[~tested], labels[:, ~tested].T)
        predicted = np.atleast_2d(model.coef_) @ (design - design.mean(0)).T
        spread = np.maximum(predicted.std(1, keepdims=True), ROUNDING)
        scores[:, tested] = predicted[:, tested] / spread
    return scores.round(9)  # what differs in the last digits only is equal


def _aurocs(scores: Floats, labels: Floats) -> Floats:
    """Return the AUC of each labeling, ``(R,)``.

    Args:
        scores: ``(R, N)``, or ``(1, N)`` for all.
        labels: ``(R, N)``.
    """
    ranks, n = rankdata(scores, axis=1), labels.sum(1)
    total = labels @ ranks[0] if len(ranks) == 1 else (labels * ranks).sum(1)
    return np.asarray((total - n * (n + 1) / 2) / (n * (labels.shape[1] - n)))


def _interval(
    scores: Floats, labels: npt.NDArray[np.bool_], groups: Sequence[str], seed: int, n_bootstrap: int
) -> tuple[float, float] | None:
    """Return the interval of an AUC; None for a statistic that is the same in all images."""
    if scores.min() == scores.max():
        return None
    table = check_scores(labels.astype(int), scores, list(groups))
    statistics = bootstrap(table, lambda counts: {"auroc": area_under_roc(counts)}, seed=seed, n_bootstrap=n_bootstrap)
    low, high, _ = statistics.interval("auroc", "pairs")
    return None if low is None else (float(low), float(high))
