# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The AUC by subgroup: by machine, site, view, age band or whatever the data list says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from monai_anomaly.metrics.bootstrap import bootstrap
from monai_anomaly.metrics.checked_scores import ScoreTable, check_scores
from monai_anomaly.metrics.image_level import area_under_roc
from monai_anomaly.metrics.intervals import undefined

__all__ = ["UNKNOWN", "subgroup_metrics"]

UNKNOWN = "unknown"
"""The subgroup of missing values."""


def subgroup_metrics(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    groups: Sequence[str] | None,
    columns: Mapping[str, Sequence[Any]],
    *,
    min_cases: int = 20,
    seed: int = 0,
    n_bootstrap: int = 1000,
) -> dict[str, dict[str, dict[str, Any]]]:
    """ROC AUC with an interval of each subgroup, and none for a subgroup that is too small to say.

    Args:
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        scores: image scores, higher = more anomalous, shape ``(N,)``.
        groups: patient of each image; ``None`` makes every image its own group.
        columns: values of each image by the column's name; None, NaN and an empty text are :data:`UNKNOWN`.
        min_cases: fewest cases (groups) of each class that give a number.
        seed: seed of the resampling.
        n_bootstrap: number of resamples.

    Returns:
        ``{column: {value: {"auroc": measure, "n_normal": int, "n_abnormal": int, "n_groups": int}}}``, values in the
        order of first appearance and :data:`UNKNOWN` last; a measure is ``{"value", "interval", "reason"}``, see
        :func:`monai_anomaly.metrics.operating_points.operating_points`.

    Raises:
        ValueError: as :func:`monai_anomaly.metrics.checked_scores.check_scores`, or a column of another length.
    """
    table = check_scores(labels, scores, groups)
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for column, raw in columns.items():
        if len(raw) != len(table.scores):
            raise ValueError(f"Column '{column}' has {len(raw)} values for {len(table.scores)} images.")
        values = np.array([_text(value) for value in raw], dtype=object)
        subgroups = sorted(dict.fromkeys(values), key=lambda value: value == UNKNOWN)
        result[column] = {value: _subgroup(table, values == value, min_cases, seed, n_bootstrap) for value in subgroups}
    return result


def _text(value: Any) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value)) or not str(value).strip()
    return UNKNOWN if missing else str(value).strip()


def _subgroup(
    table: ScoreTable, chosen: npt.NDArray[np.bool_], min_cases: int, seed: int, n_bootstrap: int
) -> dict[str, Any]:
    positive, scores = table.positive[chosen], table.scores[chosen]
    codes = np.unique(table.codes[chosen], return_inverse=True)[1].reshape(-1)
    part = ScoreTable(positive, scores, codes)
    cases = [len(np.unique(codes[positive == abnormal])) for abnormal in (False, True)]
    if min(cases) < min_cases:
        auroc = undefined(f"{cases[0]} normal and {cases[1]} abnormal cases; it takes {min_cases} of each")
    elif scores.min() == scores.max():
        auroc = undefined("all scores are equal")
    else:
        statistics = bootstrap(part, lambda c: {"auroc": area_under_roc(c)}, seed=seed, n_bootstrap=n_bootstrap)
        auroc = statistics.measure("auroc", "pairs")
    counts = {"n_normal": int((~positive).sum()), "n_abnormal": int(positive.sum()), "n_groups": len(np.unique(codes))}
    return {"auroc": auroc, **counts}
