# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""How well each term of a summed score separates on its own."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Hashable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from ignite.engine import Engine, Events
from monai.engines.evaluator import SupervisedEvaluator
from monai.networks.utils import eval_mode
from torch import Tensor, nn

from monai_anomaly.handlers.scoring.items import evaluated_items, require_single_process
from monai_anomaly.metrics.bootstrap import Counts, bootstrap
from monai_anomaly.metrics.checked_scores import check_scores, one_class_reason
from monai_anomaly.metrics.false_alarms import check_sensitivity, false_alarm_rate_at
from monai_anomaly.metrics.image_level import area_under_roc, average_precision
from monai_anomaly.metrics.intervals import undefined
from monai_anomaly.metrics.study_score import aggregate as aggregate_frames
from monai_anomaly.metrics.study_score import check_aggregate
from monai_anomaly.scoring.study import Study, StudyCollector
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.spreadsheet import csv_text

__all__ = ["ScoreTerms"]

_log = logging.getLogger(__name__)

SCORE = "score"
"""The whole score, in the table and among the numbers."""
MEASURES = {"auroc": "pairs", "average_precision": "both", "false_alarm_rate_at_sensitivity": "both"}
"""What is measured, and of which images it is; see :meth:`monai_anomaly.metrics.bootstrap.Bootstrap.interval`."""


class _Row(NamedTuple):
    """One scored image or study: the first columns of ``terms.csv``, those of ``scores.csv``, and its terms."""

    image: str
    label: int
    score: float
    group: str
    frames: int
    frame: int | None
    terms: list[float]


class ScoreTerms:
    """Writes ``terms.csv`` and ``terms.json`` when an evaluator completes: the whole score and each of its terms.

    For a detector whose score is a sum. It has ``term_names``, a tuple of texts, and ``score_terms(image)``, which
    gives ``(B, K)`` for ``(B, C, H, W)``: each term standardized, higher = more anomalous.

    The terms cost one forward pass more for each image. What a detector gives is the map, and its mean is the score:
    that is all that is exported, calibrated and shown, and terms beside it would be a second output that every user of
    the detector had to carry. They are for the evaluation only, where a second pass is cheap.

    - ``terms.csv``: a row for each image that was scored, in order, with ``image``, ``label``, ``score``, ``group``,
      ``frames`` and ``frame`` as in the ``scores.csv`` of
      :class:`monai_anomaly.handlers.scoring.evaluation_report.EvaluationReport`, then a column for each term.
    - ``terms.json``: ``numbers`` by ``"score"`` and the name of each term: ``auroc``, ``average_precision`` and
      ``false_alarm_rate_at_sensitivity`` (:func:`monai_anomaly.metrics.false_alarms.false_alarm_rate_at_sensitivity`),
      each a measure ``{"value", "interval", "reason"}`` as in
      :func:`monai_anomaly.metrics.operating_points.operating_points`; then ``sensitivity``, ``aggregate``,
      ``n_normal``, ``n_abnormal``, ``n_groups``, ``n_bootstrap`` and ``seed``. The intervals are over the resamples of
      patients that the report draws with this seed, the same for each term. A term that is equal for all images has
      values of None and says so: it adds nothing to the score.

    Images and studies are taken as the report takes them: what was not read has no row, and each term of a study is
    aggregated over its frames by the rule of the score, so that under ``"max"`` the terms of several frames need not
    add up to it. Everything is computed before anything is written.

    Args:
        network: the detector; None takes the evaluator's network.
        output_dir: folder to write to; made when missing.
        aggregate: how the frames of a study make its score and its terms: ``"max"``, ``"mean"`` or ``"quantile:Q"``.
        sensitivity: share of the abnormal images to be caught, above 0 and at most 1.
        seed: seed of the bootstrap.
        n_bootstrap: resamples behind the intervals.

    Raises:
        ValueError: for a network without terms, or with names that are empty, repeated or those of other columns; an
            unknown ``aggregate``; a ``sensitivity`` out of range; while images are collected, for terms of another
            shape; at the end, as the report does, when there is one class only, all scores are equal, or a score or a
            term is not finite.
    """

    def __init__(
        self,
        network: nn.Module | None,
        output_dir: str | os.PathLike[str],
        aggregate: str = "max",
        *,
        sensitivity: float = 0.95,
        seed: int = 0,
        n_bootstrap: int = 1000,
    ) -> None:
        self.network = network
        if network is not None:
            _term_names(network)
        self.output_dir = Path(output_dir).expanduser().absolute()
        self.aggregate = check_aggregate(aggregate)
        self.sensitivity = check_sensitivity(sensitivity)
        self.bootstrap = {"seed": seed, "n_bootstrap": n_bootstrap}
        self.reset()

    def attach(self, engine: Engine) -> None:
        """Attach the handler to an evaluator."""
        engine.add_event_handler(Events.STARTED, self.reset)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def reset(self) -> None:
        """Forget the images of an earlier run."""
        require_single_process("ScoreTerms")
        self._studies = StudyCollector()
        self._frames: list[list[float]] = []
        self._rows: list[_Row] = []

    def collect(self, engine: SupervisedEvaluator) -> None:
        """Ask the network for the terms of one batch."""
        items = evaluated_items(engine)
        image = torch.stack([torch.as_tensor(item["image"]) for item in items]).to(engine.state.device)
        terms = _score_terms(self._detector(engine), image, engine)
        for item, of_frame in zip(items, terms.double().cpu().tolist(), strict=True):
            self._frames.append(of_frame)
            study = self._studies.add(item)
            if study is not None:
                self._take(study, self._frames)
                self._frames = []

    def _detector(self, engine: SupervisedEvaluator) -> nn.Module:
        network = self.network if self.network is not None else engine.network
        detector: nn.Module = getattr(network, "module", network)  # out of DistributedDataParallel
        return detector

    def _take(self, study: Study, frames: Sequence[Sequence[float]]) -> None:
        """Keep a study as the report does, which leaves out what was not read and nothing else."""
        problem, item = study.problem, study.top
        if problem is not None and problem.status == "rejected":
            return
        shown, group = int(item.get("frame", -1)), str(item.get("group") or study.name)
        terms = [aggregate_frames(of_term, self.aggregate) for of_term in zip(*frames, strict=True)]
        self._rows.append(
            _Row(
                study.name,
                int(item["label"]),
                study.score(self.aggregate),
                group,
                len(study.frames),
                shown if shown >= 0 else None,
                terms,
            )
        )

    def write(self, engine: SupervisedEvaluator) -> None:
        """Write the two files and logs a line for the score and each term."""
        self._studies.require_complete()
        names = _term_names(self._detector(engine))
        numbers = self._numbers(names)
        text = json.dumps(numbers, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
        table = self._csv(names).encode("utf-8", errors="backslashreplace")  # as scores.csv
        self.output_dir.mkdir(parents=True, exist_ok=True)
        atomic_write(self.output_dir / "terms.csv", table)
        atomic_write(self.output_dir / "terms.json", text)
        for name, measures in numbers["numbers"].items():
            _log.info("%s: %s", name if name == SCORE else f"term {name}", _line(measures, self.sensitivity))

    def _numbers(self, names: Sequence[str]) -> dict[str, Any]:
        labels = [row.label for row in self._rows]
        whole, counts = self._measure([row.score for row in self._rows])
        numbers = {SCORE: whole}
        for k, name in enumerate(names):
            values = [row.terms[k] for row in self._rows]
            try:
                numbers[name] = _constant() if _is_constant(values) else self._measure(values)[0]
            except ValueError as error:
                raise ValueError(f"term '{name}': {error}") from None
        n_abnormal = sum(labels)
        return {
            "numbers": numbers,
            "sensitivity": self.sensitivity,
            "aggregate": self.aggregate,
            "n_normal": len(labels) - n_abnormal,
            "n_abnormal": n_abnormal,
            **counts,
            "seed": self.bootstrap["seed"],
        }

    def _measure(self, scores: Sequence[float]) -> tuple[dict[str, Any], dict[str, int]]:
        """All measures of one score, and the numbers of groups and resamples behind them."""
        rows = self._rows
        table = check_scores([r.label for r in rows], scores, [r.group for r in rows], [r.image for r in rows])
        if why := one_class_reason(table.positive):
            raise ValueError(
                f"{why[0].upper()}{why[1:]}, so that the numbers of the score and its terms are undefined. Add images "
                "of the other class to the test section."
            )
        resampled = bootstrap(table, self._statistics, **self.bootstrap)
        counts = {"n_groups": resampled.n_groups, "n_bootstrap": resampled.n_bootstrap}
        return {name: resampled.measure(name, of) for name, of in MEASURES.items()}, counts

    def _statistics(self, counts: Counts) -> dict[Hashable, npt.NDArray[np.float64]]:
        values = (area_under_roc(counts), average_precision(counts), false_alarm_rate_at(counts, self.sensitivity))
        return dict(zip(MEASURES, values, strict=True))

    def _csv(self, names: Sequence[str]) -> str:
        return csv_text((*_Row._fields[:-1], *names), ((*row[:-1], *row.terms) for row in self._rows))


def _term_names(network: nn.Module) -> tuple[str, ...]:
    """Return the names of a detector's terms, checked."""
    network = getattr(network, "module", network)
    names = tuple(getattr(network, "term_names", ()))
    if not names or not hasattr(network, "score_terms"):
        raise ValueError(
            "network must be a detector whose score is a sum, with term_names and score_terms(image); leave ScoreTerms "
            "out for a score of one term."
        )
    taken = {*_Row._fields[:-1]}
    if len({*names}) < len(names) or not all(isinstance(name, str) and name and name not in taken for name in names):
        raise ValueError(
            f"term_names must be different texts, none of them empty or one of {', '.join(sorted(taken))}, got "
            f"{names}; rename the terms of the network."
        )
    return names


def _score_terms(network: nn.Module, image: Tensor, engine: SupervisedEvaluator) -> Tensor:
    """Return the terms ``(B, K)`` of images ``(B, C, H, W)``, in the precision of the evaluator."""
    names = _term_names(network)
    score_terms: Any = network.score_terms
    with eval_mode(network), torch.autocast("cuda", **engine.amp_kwargs) if engine.amp else nullcontext():
        terms: Tensor = score_terms(image)
    if terms.shape != (len(image), len(names)):
        raise ValueError(
            f"score_terms must give one number per image and name, ({len(image)}, {len(names)}), got "
            f"{tuple(terms.shape)}; correct the network."
        )
    return terms


def _is_constant(values: Sequence[float]) -> bool:
    # NumPy's minimum of a NaN is NaN, which equals nothing: that is an error for check_scores, and no constant
    return len(values) > 1 and math.isfinite(values[0]) and bool(np.min(values) == np.max(values))


def _constant() -> dict[str, Any]:
    return {name: undefined("the term is equal for all images") for name in MEASURES}


def _line(measures: Mapping[str, Any], sensitivity: float) -> str:
    """Return the measures of one score in a line."""
    auroc, precision, alarms = (measures[name] for name in MEASURES)
    if auroc["value"] is None:
        return str(auroc["reason"])
    interval = auroc["interval"]
    between = f"95 % interval {interval[0]:.3f} to {interval[1]:.3f}" if interval else "no interval"
    return (
        f"ROC AUC {auroc['value']:.3f} ({between}), average precision {precision['value']:.3f}, "
        f"{100 * alarms['value']:.1f} % false alarms at {100 * sensitivity:g} % sensitivity"
    )
