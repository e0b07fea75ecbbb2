# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Scores of held-out normals become the calibration of a detector."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

import torch
from ignite.engine import Engine, Events

from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.calibration.conformal import patients_needed
from monai_anomaly.data.frame_rule import check_frame_rule
from monai_anomaly.data.sets.duplicates import find_duplicates, fingerprint, pixel_hash
from monai_anomaly.engines.image_inferer import check_precision
from monai_anomaly.handlers.scoring.calibration_records import CalibrationRecords, records_path
from monai_anomaly.handlers.scoring.items import count_inputs, evaluated_items, require_single_process
from monai_anomaly.metrics.study_score import check_aggregate
from monai_anomaly.scoring.guarding import Guard, check_frames
from monai_anomaly.scoring.study import Study, StudyCollector
from monai_anomaly.utils.environment import package_versions
from monai_anomaly.utils.exceptions import CalibrationError

__all__ = ["CalibrationWriter", "DetectorIdentity"]

_log = logging.getLogger(__name__)
_PACKAGES = ("monai_anomaly", "monai", "torch", "numpy", "pydicom")


class _Row(NamedTuple):
    score: float
    group: str
    images: str
    """The hashes of the study's frames, joined."""
    trained_on: bool


class DetectorIdentity(NamedTuple):
    """Which detector gives the scores.

    Args:
        model_hash: SHA-256 of the checkpoint's file.
        spec_hash: SHA-256 of how detector and preprocessing are made.
        fingerprints: of the training images, as :func:`monai_anomaly.data.sets.duplicates.fingerprint` gives them; None
            where the checkpoint has none.
        chosen_by: how the weights were chosen among epochs; empty for the last ones.
    """

    model_hash: str
    spec_hash: str
    fingerprints: Iterable[int] | torch.Tensor | None = None
    chosen_by: str = ""


class CalibrationWriter:
    """Writes ``calibration.json`` from the scores of normals, when an evaluator completes, and their records beside it.

    Nothing is trained. A file that cannot be read is left out and counted. A normal without a finite score ends the
    run: to leave it out would make the calibration look better than the detector is. Patients of whom an image was in
    the detector's training are left out and counted, since training images score lower than new ones.

    Items are read as :func:`monai_anomaly.handlers.scoring.items.evaluated_items` gives them: ``image`` ``(C, H, W)``,
    ``pred``, ``score``, ``name``; optionally ``label`` (0), ``group`` (the image itself when missing) and the status of
    a :class:`monai_anomaly.data.sets.records.RecordDataset`.

    Args:
        path: the file to write.
        identify: says which detector gives the scores; called when the run starts, so that a checkpoint is read only
            then. A detector without fingerprints is said in a warning.
        frames: the rule that took frames from a cine.
        aggregate: how the scores of a study's frames make its score.
        guard: says of the records which normals it refuses; the calibration is made of all. None refuses none.
        precision: that the network computes in.

    Raises:
        ValueError: for an unknown rule.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        identify: Callable[[], DetectorIdentity],
        frames: str,
        aggregate: str = "max",
        guard: Guard | None = None,
        precision: str = "float32",
    ) -> None:
        self.path = Path(path).expanduser().absolute()
        self.identify = identify
        self.frames = check_frame_rule(frames)
        self.aggregate = check_aggregate(aggregate)
        self.guard = guard
        self.precision = check_precision(precision)

    def attach(self, engine: Engine) -> None:
        """Attach the writer to an evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Read which detector it is, and forget the scores of an earlier run.

        Raises:
            RuntimeError: when the run is distributed.
        """
        require_single_process("CalibrationWriter")
        self._detector = self.identify()
        fingerprints = self._detector.fingerprints
        self._known = set() if fingerprints is None else {int(known) for known in fingerprints}
        if fingerprints is None:
            _log.warning("The checkpoint does not list its training images: nobody sees if normals are among them.")
        if self._detector.chosen_by:
            _log.warning("The weights are of %s. Images that chose them do not calibrate.", self._detector.chosen_by)
        self._studies = StudyCollector()
        self._hashes: list[str] = []
        self._n_items = 0
        self._rows: list[_Row] = []
        self._records = CalibrationRecords(self.aggregate)
        self._refused: Counter[str] = Counter()
        self._failures: list[str] = []

    def collect(self, engine: Engine) -> None:
        """Take the scores and the hashes of one batch."""
        items = evaluated_items(engine)
        for item, refusal in zip(items, check_frames(self.guard, items), strict=True):
            self._n_items += 1
            self._hashes.append(pixel_hash(torch.as_tensor(item["image"]).detach().float().cpu()))
            study = self._studies.add(item, refusal)
            if study is not None:
                self._take(study)
                self._records.add(study)

    def _take(self, study: Study) -> None:
        hashes, self._hashes = self._hashes, []
        if int(study.top.get("label", 0)) != 0:
            raise CalibrationError("a calibration takes normal images only; leave out those with another label.")
        problem = study.problem
        if problem is None:
            trained_on = any(fingerprint(pixels) in self._known for pixels in hashes)
            group = str(study.top.get("group") or study.name)
            self._rows.append(_Row(study.score(self.aggregate), group, " ".join(hashes), trained_on))
        elif problem.status == "rejected":
            self._refused[problem.code] += 1
        else:
            self._failures.append(study.reason)

    def finish(self, engine: Engine) -> None:
        """Make the calibration, write it and print what it gives.

        Raises:
            CalibrationError: when these normals cannot calibrate.
            RuntimeError: when some of the data set was left out.
        """
        self._studies.require_complete()
        n_in = count_inputs(engine, self._n_items)
        if n_in != self._n_items:
            raise RuntimeError(f"{n_in} images went in and {self._n_items} came out; score the whole data set.")
        if self._failures:
            raise CalibrationError(
                f"{len(self._failures)} of {len(self._rows) + len(self._failures)} normals have no finite score "
                f"({self._failures[0].rstrip('.')}), and a calibration without them would promise too much; mend this "
                "first."
            )
        calibration = self._calibrate()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._records.write(records_path(self.path), {row.group for row in self._rows if row.trained_on})
        calibration.save(self.path)
        n_written = Calibration.load(self.path).n_images
        if n_written != calibration.n_images:
            raise RuntimeError(
                f"'{self.path}' has {n_written} scores, and {calibration.n_images} were written; something else writes "
                "there: run calibrate again."
            )
        self._print(calibration)

    def _calibrate(self) -> Calibration:
        trained_on = {row.group for row in self._rows if row.trained_on}
        rows = [row for row in self._rows if row.group not in trained_on]
        left_out = len(self._rows) - len(rows)
        if left_out:
            sentence = (
                f"{left_out} of {len(self._rows)} normals are of {len(trained_on)} patients of whom the detector was "
                "trained on images, and a calibration on training images is too optimistic"
            )
            if len({row.group for row in rows}) < 2:
                raise CalibrationError(f"{sentence}; give normals that it was not trained on.")
            _log.warning("%s; they are left out.", sentence)
        copies = sum(len(group) - 1 for group in find_duplicates([row.images for row in rows]))
        if copies:
            _log.warning("%d of %d normals are copies of another one and count twice.", copies, len(rows))
        return Calibration(
            scores=tuple(row.score for row in rows),
            groups=tuple(row.group for row in rows),
            model_hash=self._detector.model_hash,
            spec_hash=self._detector.spec_hash,
            data_hash=hashlib.sha256("\n".join(sorted(row.images for row in rows)).encode()).hexdigest(),
            frames=self.frames,
            aggregate=self.aggregate,
            precision=self.precision,
            versions={**package_versions(_PACKAGES), "python": platform.python_version()},
            date=f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
            counts={"refused_files": self._refused.total(), "left_out_as_trained_on": left_out, "copies": copies},
        )

    def _print(self, calibration: Calibration) -> None:
        """Print, because this is the result that the person at the terminal waits for."""
        print(f"normals            {calibration.n_images} images of {calibration.n_patients} patients")
        if calibration.n_images == calibration.n_patients:
            print("                   (each image is a patient; name the patients where one has several)")
        codes = ", ".join(f"{code} {count}" for code, count in sorted(self._refused.items()))
        print(f"refused files      {self._refused.total()}{f' ({codes})' if codes else ''}")
        print(f"left out           {calibration.counts['left_out_as_trained_on']} (patients of the training)")
        for alpha, threshold in calibration.thresholds.items():
            if threshold is None:
                outcome = f"cannot be had: needs {patients_needed(alpha)} patients, there are {calibration.n_patients}"
            else:
                outcome = f"score from {threshold:.6g} on"
            print(f"false alarms {100 * alpha:3g} %  {outcome}")
        if calibration.all_equal:
            _log.warning(
                "All scores are equal: the detector does not tell these normals apart, and every p-value is 1 or %.3g.",
                1 / (calibration.n_patients + 1),
            )
        print(f"records            {records_path(self.path)}")
        print(f"calibration        {self.path}")
