# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""What an evaluation leaves behind: numbers for programs, a table, and a page for people."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import monai
import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.engines.evaluator import SupervisedEvaluator

import monai_anomaly
from monai_anomaly.data.duplicates import find_duplicates, pixel_hash
from monai_anomaly.data.frame_rule import check_aggregate
from monai_anomaly.handlers.gallery import Gallery, Picture
from monai_anomaly.handlers.items import evaluated_items, require_single_process
from monai_anomaly.handlers.report_page import render_report
from monai_anomaly.handlers.studies import Study, StudyCollector
from monai_anomaly.metrics.image_level import image_level_metrics
from monai_anomaly.utils.atomic import atomic_write

__all__ = ["EvaluationReport"]

_log = logging.getLogger(__name__)


class _Row(NamedTuple):
    name: str
    label: int
    score: float
    group: str
    frames: int
    frame: int | None


class EvaluationReport:
    """Writes ``metrics.json``, ``scores.csv`` and ``report.html`` when an evaluator completes.

    Scores, labels and names of all images are kept, and the pixels of the gallery only. Everything is computed before
    anything is written and each file appears whole, so that an error leaves the folder as it was.

    Items are read as :func:`monai_anomaly.handlers.items.evaluated_items` gives them: ``image`` ``(C, H, W)``,
    ``label``, ``pred`` ``(1, H, W)``, ``score``, ``name``; optionally ``group`` (the image itself when missing) and
    ``mask`` ``(1, H, W)``. An item with a ``status`` other than ``"ok"`` was not read whole: it is listed with its
    ``code`` and ``reason``, and counts in no number. Frames of one study (items with ``study_frames``) count as one
    image: their scores are aggregated, and the gallery shows the frame with the highest.

    Args:
        output_dir: folder to write to; made when missing.
        network: its ``reconstruct(image)``, where it has one, gives the reconstructions of the gallery; None takes the
            evaluator's network.
        title: heading of the page.
        gallery: number of images on the page; 0 for none.
        details: what a reader must know of the run (seed, rule that chose the checkpoint, origin of the weights, ...),
            JSON values; shown in a table and kept in ``metrics.json``.
        map_range: map values of the first and the last color of the gallery; None chooses one scale for all its maps.
        seed: seed of the bootstrap.
        n_bootstrap: resamples behind the interval.
        aggregate: how the scores of a study's frames make its score: ``"max"``, ``"mean"`` or ``"quantile:Q"``.

    Raises:
        ValueError: for an unknown ``aggregate``; at the end of the evaluation when there is one class only, or a score
            is not finite; see :func:`monai_anomaly.metrics.image_level.image_level_metrics`.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        network: torch.nn.Module | None = None,
        *,
        title: str = "Anomaly detection: evaluation",
        gallery: int = 24,
        details: Mapping[str, Any] | None = None,
        map_range: tuple[float, float] | None = None,
        seed: int = 0,
        n_bootstrap: int = 1000,
        aggregate: str = "max",
    ) -> None:
        self.output_dir = Path(output_dir).absolute()
        self.network = network
        self.title = title
        self.details = dict(details or {})
        self.map_range = None if map_range is None else (float(map_range[0]), float(map_range[1]))
        self.seed = seed
        self.n_bootstrap = n_bootstrap
        self.aggregate = check_aggregate(aggregate)
        self._gallery_size = gallery
        self.reset()

    def attach(self, engine: Engine) -> None:
        """Attaches the report to an evaluator."""
        engine.add_event_handler(Events.STARTED, self.reset)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def reset(self) -> None:
        """Forgets the images of an earlier run."""
        require_single_process("EvaluationReport")
        self._gallery = Gallery(self._gallery_size)
        self._studies = StudyCollector()
        self._rows: list[_Row] = []
        self._rejected: list[dict[str, str]] = []
        self._hashes: list[str] = []

    def collect(self, engine: Engine) -> None:
        """Takes what it needs of one batch."""
        for item in evaluated_items(engine):
            study = self._studies.add(item)
            if study is not None:
                self._take(study)

    def _take(self, study: Study) -> None:
        problem, item = study.problem, study.top
        if problem is not None and problem.status == "rejected":
            self._rejected.append({"image": study.name, "code": problem.code, "reason": study.reason})
            return
        label, score = int(item["label"]), study.score(self.aggregate)
        shown = int(item.get("frame", -1))
        group = str(item.get("group") or study.name)
        self._rows.append(_Row(study.name, label, score, group, len(study.frames), shown if shown >= 0 else None))
        self._hashes.append(pixel_hash(torch.as_tensor(item["image"]).detach().float().cpu()))
        if self._gallery.wants(label, score):
            self._gallery.add(_picture(item, study.name, label, score))

    def write(self, engine: SupervisedEvaluator) -> None:
        """Writes the three files and prints where they are."""
        self._studies.require_complete()
        names, groups = [row.name for row in self._rows], [row.group for row in self._rows]
        labels, scores = [row.label for row in self._rows], [row.score for row in self._rows]
        metrics = image_level_metrics(labels, scores, groups, names=names, seed=self.seed, n_bootstrap=self.n_bootstrap)
        _add_reconstructions(self._gallery, self.network or engine.network, engine.state.device)
        page = render_report(
            title=self.title,
            metrics=metrics,
            labels=np.asarray(labels),
            scores=np.asarray(scores),
            gallery=self._gallery,
            rejected=self._rejected,
            details={"copies of an image": self._count_copies()}
            | self.details
            | _versions()
            | {"written": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC"},
            map_range=self.map_range,
        )
        numbers = metrics | {
            "rejected": self._rejected,
            "n_copies": self._count_copies(),
            "details": self.details | _versions(),
        }
        text = json.dumps(numbers, indent=2, ensure_ascii=True, allow_nan=False, default=str) + "\n"
        self.output_dir.mkdir(parents=True, exist_ok=True)
        atomic_write(self.output_dir / "scores.csv", _bytes(self._csv()))
        atomic_write(self.output_dir / "report.html", _bytes(page))
        atomic_write(self.output_dir / "metrics.json", text)
        self._print(metrics)

    def _count_copies(self) -> int:
        """How many images have the pixels of another one, which count twice in every number."""
        return sum(len(group) - 1 for group in find_duplicates(self._hashes))

    def _csv(self) -> str:
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("image", *_Row._fields[1:]))
        writer.writerows(self._rows)
        return stream.getvalue()

    def _print(self, metrics: Mapping[str, Any]) -> None:
        """Prints, because this is the result that the person at the terminal waits for."""
        interval = metrics["auroc_interval"]
        between = f"  (95 % interval {interval[0]:.3f} to {interval[1]:.3f})" if interval else "  (no interval)"
        print(f"ROC AUC            {metrics['auroc']:.3f}{between}")
        print(f"average precision  {metrics['average_precision']:.3f}")
        print(f"images             {metrics['n_normal']} normal, {metrics['n_abnormal']} abnormal")
        print(f"groups (patients)  {metrics['n_groups']}")
        if self._count_copies():
            _log.warning("%d images are copies of another one in this section.", self._count_copies())
        if self._rejected:
            print(f"not scored         {len(self._rejected)}")
            _log.warning("%d files could not be read and have no score; the report lists them.", len(self._rejected))
        print(f"report             {self.output_dir / 'report.html'}")


def _picture(item: Mapping[str, Any], name: str, label: int, score: float) -> Picture:
    """Copies one image's pixels to the CPU (copies: the item is a view of the whole batch)."""

    def take(key: str) -> np.ndarray:
        tensor: torch.Tensor = torch.as_tensor(item[key])
        return np.array(tensor.detach().float().cpu().numpy())

    mask = take("mask")[0] >= 0.5 if item.get("mask") is not None else None
    return Picture(name, label, score, take("image"), take("pred")[0], mask)


def _add_reconstructions(gallery: Gallery, network: torch.nn.Module, device: torch.device) -> None:
    """Runs the gallery's images, one by one, through ``reconstruct`` of a network that has it."""
    network = getattr(network, "module", network)  # out of DistributedDataParallel
    reconstruct: Any = getattr(network, "reconstruct", None)
    if reconstruct is None:
        return
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            for picture in gallery.pictures:
                image = torch.from_numpy(picture.image)[None].to(device)
                picture.reconstruction = reconstruct(image)[0].float().cpu().numpy()
    finally:
        network.train(was_training)


def _versions() -> dict[str, str]:
    return {
        "monai_anomaly": monai_anomaly.__version__,
        "monai": monai.__version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }


def _bytes(text: str) -> bytes:
    """UTF-8; a file name that is none (a lone surrogate in Python) is written as an escape, not refused."""
    return text.encode("utf-8", errors="backslashreplace")
