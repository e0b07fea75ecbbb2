# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""What an evaluation leaves behind: numbers for programs, a table, and a page for people."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import monai
import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.engines.evaluator import SupervisedEvaluator

import monai_anomaly
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.calibration.conformal import check_rate
from monai_anomaly.calibration.decision import Decision, decide
from monai_anomaly.data.lists.columns import COLUMN
from monai_anomaly.data.sets.duplicates import find_duplicates, fingerprint, pixel_hash
from monai_anomaly.handlers.scoring.evaluation_files import REPORT, put_in_place
from monai_anomaly.handlers.scoring.gallery_pictures import add_reconstructions, copy_picture
from monai_anomaly.handlers.scoring.items import count_inputs, evaluated_items, require_single_process
from monai_anomaly.metrics.operating_points import roc_band
from monai_anomaly.metrics.study_score import check_aggregate
from monai_anomaly.report.evaluation_numbers import Case, Rules, evaluation_numbers
from monai_anomaly.report.evaluation_summary import calibration_lines, result_lines
from monai_anomaly.report.gallery import Gallery
from monai_anomaly.report.map_collector import MapCollector
from monai_anomaly.report.page import render_report
from monai_anomaly.report.page_head import make_head
from monai_anomaly.scoring.guarding import Guard, check_frames
from monai_anomaly.scoring.study import Study, StudyCollector
from monai_anomaly.utils.exceptions import CalibrationError
from monai_anomaly.utils.grouped_sentences import GroupedSentences
from monai_anomaly.utils.spreadsheet import csv_text

__all__ = ["EvaluationReport"]

_log = logging.getLogger(__name__)


class EvaluationReport:
    """Writes ``metrics.json``, ``scores.csv`` and ``report.html`` when an evaluator completes.

    Scores, labels and names of all images are kept, the maps of those with a mask (bounded, see
    :class:`monai_anomaly.report.map_collector.MapCollector`), and the pixels of the gallery. Everything is computed
    before anything is written, and the files take the place of earlier ones together, so that an error leaves the
    folder as it was and ``metrics.json`` is there only with the other two of the same evaluation (see
    :class:`monai_anomaly.handlers.scoring.result_folder.ResultFolder`).

    Items are read as :func:`monai_anomaly.handlers.scoring.items.evaluated_items` gives them: ``image`` ``(C, H, W)``,
    ``label``, ``pred`` ``(1, H, W)``, ``score``, ``name``; optionally ``group`` (the image itself when missing) and
    ``mask`` ``(1, H, W)``. An item with a ``status`` other than ``"ok"`` was not read whole: it is listed with its
    ``code`` and ``reason``, and counts in no number. Frames of one study (items with ``study_frames``) count as one
    image: their scores are aggregated, the gallery shows the frame with the highest, and one frame that the input guard
    refuses is enough to refuse all.

    Args:
        output_dir: folder to write to; made when missing.
        network: its ``reconstruct(image)``, where it has one, gives the reconstructions of the gallery; None takes the
            evaluator's network.
        title: heading of the page.
        data_set: what the page calls the images; empty says nothing.
        gallery: number of images on the page; 0 for none.
        details: what a reader must know of the run (seed, rule that chose the checkpoint, origin of the weights, ...),
            JSON values; shown in a table and kept in ``metrics.json``.
        map_range: map values of the first and the last color of the gallery; None chooses one scale for all its maps.
        seed: seed of the bootstrap.
        n_bootstrap: resamples behind the intervals.
        aggregate: how the scores of a study's frames make its score: ``"max"``, ``"mean"`` or ``"quantile:Q"``.
        calibration: gives p-values, thresholds and decisions; None leaves scores uncalibrated and says so. Whether it
            belongs to the detector is for the caller to check
            (:meth:`monai_anomaly.calibration.calibration.Calibration.require_match`).
        guard: says which images the detector was never shown the like of; None asks nobody.
        false_alarm_rate: the rate that decisions are made at.
        subgroups: columns of the data list (or keys of items) by whose values the AUC is given, too.
        fingerprints: of the training images, as :func:`~monai_anomaly.data.sets.duplicates.fingerprint` gives them:
            images of this section that are among them are counted, since they make every number better than it is; None
            where nobody knows them.
        unfinished: what of the training a time budget cut short, in words; empty when it cut nothing. The head of the
            page warns of it, and ``metrics.json`` has it.
        pool_warning: what the pool of the training differed in from the normals, a sentence for the head of the page;
            empty for nothing.
        to_calibrate: the command that makes a calibration; said at the end where there is none.

    Raises:
        ValueError: for an unknown ``aggregate`` or a ``false_alarm_rate`` outside (0, 1); while images are collected,
            when a mask has another size than its map; at the end when there is one class only, all scores are equal or
            one is not finite, or an item lacks a key of ``subgroups``.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        network: torch.nn.Module | None = None,
        *,
        title: str = "Anomaly detection: evaluation",
        data_set: str = "",
        gallery: int = 24,
        details: Mapping[str, Any] | None = None,
        map_range: tuple[float, float] | None = None,
        seed: int = 0,
        n_bootstrap: int = 1000,
        aggregate: str = "max",
        calibration: Calibration | None = None,
        guard: Guard | None = None,
        false_alarm_rate: float = 0.1,
        subgroups: Sequence[str] = (),
        fingerprints: Iterable[int] | torch.Tensor | None = None,
        unfinished: str = "",
        pool_warning: str = "",
        to_calibrate: str | None = None,
    ) -> None:
        self.output_dir = Path(output_dir).expanduser().absolute()
        self.network = network
        self.title = title
        self.data_set = data_set
        self.details = dict(details or {})
        self.map_range = None if map_range is None else (float(map_range[0]), float(map_range[1]))
        self.aggregate = check_aggregate(aggregate)
        self.guard = guard
        self.subgroups = [subgroups] if isinstance(subgroups, str) else list(subgroups)
        self.rules = Rules(calibration, check_rate(false_alarm_rate), guard is not None, seed, n_bootstrap)
        self.training = None if fingerprints is None else {int(known) for known in fingerprints}
        self.unfinished = unfinished
        self.pool_warning = pool_warning
        self.to_calibrate = to_calibrate
        self._gallery_size = gallery
        self.reset()

    def attach(self, engine: Engine) -> None:
        """Attach the report to an evaluator."""
        engine.add_event_handler(Events.STARTED, self.reset)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def reset(self) -> None:
        """Forget the images of an earlier run."""
        require_single_process("EvaluationReport")
        self._gallery = Gallery(self._gallery_size)
        self._studies = StudyCollector()
        self._maps = MapCollector()
        self._cases: list[Case] = []
        self._columns: dict[str, list[Any]] = {key: [] for key in self.subgroups}
        self._rejected: list[dict[str, str]] = []
        self._hashes: list[str] = []
        self._said = GroupedSentences()
        self._n_items = 0

    def collect(self, engine: Engine) -> None:
        """Take what it needs of one batch."""
        items = evaluated_items(engine)
        self._n_items += len(items)
        for item in (item for item in items if item.get("warnings")):
            self._said.add(str(item.get("name", "")), str(item["warnings"]))
        for item, refusal in zip(items, check_frames(self.guard, items), strict=True):
            study = self._studies.add(item, refusal)
            if study is not None:
                self._take(study)

    def _take(self, study: Study) -> None:
        problem, item = study.problem, study.top
        if problem is not None and problem.status == "rejected":
            self._rejected.append({"image": study.name, "code": problem.code, "reason": study.reason})
            return
        label, score = int(item["label"]), study.score(self.aggregate)
        shown, group, frames = int(item.get("frame", -1)), str(item.get("group") or study.name), len(study.frames)
        answer = self._decide(score, study.refusal)
        frame = shown if shown >= 0 else None
        self._cases.append(
            Case(study.name, label, score, group, frames, frame, answer.p_value, answer.decision, answer.reason)
        )
        for key, values in self._columns.items():
            values.append(_plain(item, key))
        self._hashes.append(pixel_hash(torch.as_tensor(item["image"]).detach().float().cpu()))
        self._maps.add(item, group, frames)
        if self._gallery.wants(label, score, answer.decision):
            self._gallery.add(copy_picture(item, self._cases[-1]))

    def _decide(self, score: float, refusal: str) -> Decision:
        """Return the decision; without one where the calibration has too few patients for the rate."""
        if not math.isfinite(score):  # the run will end with an error that names the image
            return Decision(None, "uncalibrated", "The score is not finite.", None, None)
        calibration, rate = self.rules.calibration, self.rules.false_alarm_rate
        try:
            return decide(score, calibration, rate, refusal=refusal)
        except CalibrationError as error:
            known = None if calibration is None else calibration.p_value(score)
            decision = "not_applicable" if refusal else "uncalibrated"
            return Decision(known, decision, refusal or f"There is no decision: {error}", None, None)

    def write(self, engine: SupervisedEvaluator) -> None:
        """Write the three files and print where they are.

        Raises:
            RuntimeError: when some of the data set was left out, or what is on the disk is not what was made.
        """
        self._studies.require_complete()
        n_in = count_inputs(engine, self._n_items)
        if n_in != self._n_items:
            raise RuntimeError(f"{n_in} images went in and {self._n_items} came out; score the whole data set.")
        numbers = evaluation_numbers(self._cases, self.rules, maps=self._maps, columns=self._columns)
        numbers |= {"rejected": self._rejected, "n_copies": self._count_copies(), "n_trained_on": self._count_known()}
        numbers["warnings"] = [group._asdict() for group in self._said.groups()]
        numbers |= {"unfinished": self.unfinished, "data_set": self.data_set, "data_hash": self._data_hash()}
        add_reconstructions(self._gallery.pictures, self.network or engine.network, engine.state.device)
        page = self._page(numbers)
        numbers["details"] = self.details | _versions()
        text = json.dumps(numbers, indent=2, ensure_ascii=True, allow_nan=False, default=str) + "\n"
        files = {"metrics": _bytes(text), "scores": _bytes(self._csv()), "report": _bytes(page)}
        put_in_place(self.output_dir, **files, n_images=len(self._cases))
        self._print(numbers)

    def _page(self, numbers: Mapping[str, Any]) -> str:
        labels = np.asarray([case.label for case in self._cases])
        scores = np.asarray([case.score for case in self._cases])
        return render_report(
            head=make_head(
                self.title,
                datetime.now(timezone.utc),
                self.data_set,
                f"images {numbers['data_hash'][:12]}",
                unfinished=self.unfinished,
                pool_warning=self.pool_warning,
            ),
            numbers=numbers,
            labels=labels,
            scores=scores,
            gallery=self._gallery,
            band=roc_band(labels, scores, [case.group for case in self._cases], **self.rules.bootstrap),
            details={"copies of an image": numbers["n_copies"]}
            | self.details
            | _versions()
            | {"images": f"sha256 {numbers['data_hash'][:16]}, of their pixels in any order"},
            map_range=self.map_range,
        )

    def _data_hash(self) -> str:
        """Return the SHA-256 of the images, as the network got them, in any order."""
        return hashlib.sha256("\n".join(sorted(self._hashes)).encode()).hexdigest()

    def _count_copies(self) -> int:
        """How many images have the pixels of another one, which count twice in every number."""
        return sum(len(group) - 1 for group in find_duplicates(self._hashes))

    def _count_known(self) -> int | None:
        """How many images have the pixels of a training image; None where nobody knows the training images."""
        return None if self.training is None else sum(fingerprint(pixels) in self.training for pixels in self._hashes)

    def _csv(self) -> str:
        return csv_text(("image", *Case._fields[1:]), self._cases)

    def _print(self, numbers: Mapping[str, Any]) -> None:
        """Print, because this is the result that the person at the terminal waits for."""
        for line in result_lines(numbers):
            print(line)
        print(f"report             {self.output_dir / REPORT}")
        if self.to_calibrate and self.rules.calibration is None:
            print("\n".join(calibration_lines(self.to_calibrate)))
        if numbers["n_trained_on"]:
            text = "%d of %d images are training images: every number is better than it is on new images."
            _log.warning(text, numbers["n_trained_on"], len(self._cases))
        if numbers["n_copies"]:
            _log.warning("%d images are copies of another one in this section.", numbers["n_copies"])
        if self._rejected:
            _log.warning("%d files could not be read and have no score; the report lists them.", len(self._rejected))


def _plain(item: Mapping[str, Any], key: str) -> Any:
    """Return the value of a column, which must be a number or a text."""
    value = item.get(f"{COLUMN}{key}", item.get(key))
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    if not isinstance(value, (str, int, float)):
        raise ValueError(
            f"subgroups names '{key}', and image '{item['name']}' has no number or text of that name; name columns of "
            "the data list."
        )
    return value


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
