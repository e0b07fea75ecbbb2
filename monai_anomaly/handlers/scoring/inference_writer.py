# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""What an inference leaves: a record for each input file, a map and an overlay for each scored one, a table, a page."""

from __future__ import annotations

import json
import logging
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines.evaluator import SupervisedEvaluator

from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.calibration.conformal import check_rate
from monai_anomaly.handlers.scoring.dicom_files import DicomFiles
from monai_anomaly.handlers.scoring.earlier_results import EarlierResults
from monai_anomaly.handlers.scoring.inference_cards import InferenceCards
from monai_anomaly.handlers.scoring.inference_files import PAGE, RECORDS, SETTINGS, TABLE, inference_folder
from monai_anomaly.handlers.scoring.items import count_inputs, evaluated_items, require_single_process
from monai_anomaly.handlers.scoring.kept_pictures import KeptPictures
from monai_anomaly.handlers.scoring.on_disk import check_on_disk
from monai_anomaly.handlers.scoring.picture_files import PictureFiles, Pictures
from monai_anomaly.handlers.scoring.predictions_table import write_predictions
from monai_anomaly.handlers.scoring.record_file import RecordFile, read_records
from monai_anomaly.metrics.study_score import check_aggregate
from monai_anomaly.report.inference_page import InferenceFacts, render_inference
from monai_anomaly.report.page_head import make_head
from monai_anomaly.scoring.audit_trail import AuditTrail
from monai_anomaly.scoring.guarding import Guard, check_frames
from monai_anomaly.scoring.result import judge
from monai_anomaly.scoring.source_pictures import SourcePictures
from monai_anomaly.scoring.study import Study, StudyCollector
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.one_by_one import OneByOne

__all__ = ["InferenceWriter"]

_log = logging.getLogger(__name__)


class InferenceWriter:
    """Writes what an inference leaves, from an evaluator whose items may be good, rejected or failed.

    ``records.jsonl`` holds one JSON object per input file, in the order of the data list, with the keys

    * ``image``: name of the file, relative to the data set;
    * ``status``: ``scored``, ``rejected`` (the reader refused the file) or ``failed`` (it was read, but the network
      raised, or its score or map is not finite);
    * ``score``: the image score, or null;
    * ``p_value``: how often normals score as high, calibrated on normals (see
      :mod:`monai_anomaly.calibration.conformal`), or null without a calibration;
    * ``decision``: ``normal``, ``anomalous``, ``not_applicable`` (the input guard says that the method was never shown
      such an image; score and p-value are given and not to be trusted), ``uncalibrated``, or null without a score;
    * ``decision_reason``: why, one sentence, or null;
    * ``threshold`` and ``false_alarm_rate``: the score from which on an image is called anomalous, and the share of
      normal images for which that is promised not to be exceeded; null without a calibration;
    * ``map`` and ``overlay``: paths relative to ``output_dir``, or null;
    * ``overlay_shape``: rows and columns of the overlay: those of the picture, less where it has a side of more than
      2048 pixels; null without one;
    * ``map_range``: the values of the map's first and last color, or null;
    * ``code`` and ``reason``: why there is no score, or null;
    * ``frame``: the frame of a cine that map and overlay show, the one with the highest score, or null;
    * ``frames`` and ``frame_scores``: all frames that were scored and their scores, or null for a single one;
    * ``warnings``: what the reader had to assume, and why there is no overlay where there should be one, or null;
    * ``source_shape`` and ``box``: rows and columns of the stored frame, and ``[x0, y0, x1, y1]``, half open, the part
      of it that the network saw and the map shows; null where the file was not read;
    * ``input_digest``, ``map_digest`` and ``overlay_digest``: which bytes these files have (see
      :func:`monai_anomaly.utils.identity.stream_digest`), or null; ``facts``: size, color and gray values of the part
      that was scored; ``device`` and ``patient``: keyed hashes; see :class:`monai_anomaly.scoring.result.Result`;
    * ``members`` and ``left_out``: of a consensus, each member's score and why a member does not apply, by their names;
      null of any other detector;
    * ``dicom``, ``dicom_digests`` and ``dicom_reason``: with ``dicom`` only, see
      :class:`monai_anomaly.handlers.scoring.dicom_files.DicomFiles`.

    A map has the size of the source picture (see :func:`monai_anomaly.transforms.source_map.map_on_source`) and is a
    palette PNG, an NPZ archive with the network's own map beside it, or a NIfTI file; see
    :mod:`monai_anomaly.scoring.map_encoders`. An overlay is the picture with the map over it, for people; see
    :func:`monai_anomaly.report.overlay.draw_overlay`. Their names are the running number and the stem of the file's
    name, and nothing from inside the file.

    ``predictions.csv`` is the same as a table (:mod:`monai_anomaly.handlers.scoring.predictions_table`), and
    ``index.html`` a page for people, most anomalous first, that needs nothing but the files beside it.

    ``run.json`` has the settings that decided about all of them.

    While the run goes on, all of this is made in a folder ``partial-N`` of ``output_dir``, with the records in
    ``records.jsonl.partial``, those of a batch handed to the system at once, whole or not at all, after its maps and
    overlays, so that a crash in batch 29 leaves the records of the batches before. A thread does it while the network
    is at the next batch; it is at most two batches behind, and what goes wrong in it ends the run. When every input
    file has its record, and what is on the disk is what was made, the results take the place of those of an earlier
    run; see :class:`monai_anomaly.handlers.scoring.result_folder.ResultFolder`. So
    ``records.jsonl`` is in ``output_dir`` only with the results of one complete run, and a run that fails leaves the
    earlier ones. What such a run made is used by one with ``earlier``, and removed by any other.

    Items are read as :func:`monai_anomaly.handlers.scoring.items.evaluated_items` gives them: those of a
    :class:`monai_anomaly.data.sets.records.RecordDataset` with ``score`` and ``pred``, the map of shape ``(1, H, W)``.

    Args:
        output_dir: folder to write to; made when missing.
        map_range: the map values of the first and the last color, the same for all images; values outside are clipped.
        aggregate: how the scores of a study's frames make its score: ``"max"``, ``"mean"`` or ``"quantile:Q"``. Where
            one frame has no score, the study has none.
        calibration: what the scores mean, or what reads it when the run starts; None writes scores alone, marked
            ``uncalibrated``.
        alpha: the false-alarm rate of the decisions, in (0, 1).
        guard: looks at every image before it is decided about; None looks at none. Where one frame of a study is
            refused, the study is.
        maps: ``"png"``, ``"npz"``, ``"nifti"``, or ``"none"`` for no maps.
        overlays: whether to draw overlays; files whose pictures are too large to be kept are read once more for that.
        sources: gives the source pictures, for overlays, for the page and for the place of a NIfTI map; None where they
            are not to be had.
        gallery: images with pictures on the page; a quarter more where the guard refused some.
        network: its ``reconstruct(image)``, where it has one, gives the reconstructions of the page; None shows none.
        title: heading of the page.
        data_set: what the page calls the images; empty says nothing.
        details: what a reader of the page must know of the run, as a table.
        unfinished: what of the training a time budget cut short, or empty; the page warns of it.
        pool_warning: what the pool of the training differed in from the normals, or empty; the page warns of it.
        audit: the audit log, which has each result before its files and its record are written; None keeps none.
        settings: what decides about records, maps and overlays, as plain values; goes into ``run.json``.
        dicom: writes DICOM objects of each scored image; None writes none.
        earlier: what of an earlier run is kept, made with the same settings; its ``to_score`` is what the evaluator
            goes through. None keeps nothing.

    Raises:
        ValueError: when ``map_range`` is not two rising finite numbers, ``aggregate`` or ``maps`` is unknown, ``alpha``
            is not in (0, 1), ``gallery`` is negative, or overlays are wanted without sources.
        CalibrationError: at the start of the run, when the calibration has too few patients for ``alpha``.
        AuditError: when a result cannot be written to the audit log; the run ends before it is given out.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        map_range: tuple[float, float] = (0.0, 2.0),
        *,
        aggregate: str = "max",
        calibration: Calibration | Callable[[], Calibration] | None = None,
        alpha: float = 0.1,
        guard: Guard | None = None,
        maps: str = "png",
        overlays: bool = False,
        sources: SourcePictures | None = None,
        gallery: int = 100,
        network: torch.nn.Module | None = None,
        title: str = "Anomaly detection: inference",
        data_set: str = "",
        details: Mapping[str, Any] | None = None,
        unfinished: str = "",
        pool_warning: str = "",
        audit: AuditTrail | None = None,
        settings: Mapping[str, Any] | None = None,
        dicom: DicomFiles | None = None,
        earlier: EarlierResults | None = None,
    ) -> None:
        low, high = (float(value) for value in map_range)
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"map_range must be two rising finite numbers, got {map_range}.")
        self.output_dir = Path(output_dir).expanduser().absolute()
        self.map_range = (low, high)
        self.aggregate = check_aggregate(aggregate)
        self.calibration = calibration
        self.alpha = check_rate(alpha)
        self.guard = guard
        self.network = network
        self.title = title
        self.data_set = data_set
        self.details = dict(details or {})
        self.unfinished = unfinished
        self.pool_warning = pool_warning
        self.audit = audit
        self.settings = dict(settings or {})
        self._earlier = earlier
        self._dicom = dicom
        self._pictures = PictureFiles(maps=maps, overlays=overlays, sources=sources, map_range=self.map_range)
        self._gallery_size = gallery
        self._folder = inference_folder(self.output_dir)
        self._thread = OneByOne(behind=2)
        self._reset(self.output_dir)

    def _reset(self, folder: Path) -> None:
        self._records = RecordFile(folder / RECORDS)
        self.decisions: Counter[str] = Counter()
        self._cards = InferenceCards(self._gallery_size)
        self._studies = StudyCollector()
        self._kept = KeptPictures(self._earlier, self._pictures, self._dicom)
        self._n_items = 0
        self._n_studies = 0
        self._first_failure: str | None = None

    @property
    def records_path(self) -> Path:
        """Where the records are when the run is complete."""
        return self.output_dir / RECORDS

    @property
    def counts(self) -> Counter[str]:
        """How many records have which status."""
        return self._records.counts

    def attach(self, engine: Engine) -> None:
        """Attach the writer to an evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.write)
        engine.add_event_handler(Events.COMPLETED, self.finish)
        engine.add_event_handler(Events.TERMINATE, self._settle)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._settle_and_raise)

    def start(self, engine: Engine) -> None:
        """Make the run's own folder.

        Raises:
            RuntimeError: when the run is distributed.
        """
        require_single_process("InferenceWriter")
        self._calibration = self.calibration() if callable(self.calibration) else self.calibration
        if self._calibration is not None:
            self._calibration.require_rate(self.alpha)
        self._folder.recover()
        if self._earlier is None:
            self._folder.discard()
        self._reset(self._folder.begin())
        self._pictures.start(self._folder.path)
        if self._dicom is not None:
            self._dicom.start(self._folder.path, self._calibration)
        atomic_write(self._folder.path / SETTINGS, json.dumps(self.settings, indent=2, sort_keys=True) + "\n")
        self._records.start()

    def write(self, engine: Engine) -> None:
        """Have the files and the records of one batch written.

        Raises:
            OSError: when those of an earlier batch could not be written.
        """
        self._thread.do(self._write, evaluated_items(engine))

    def _settle(self, engine: Engine) -> None:
        """Wait until what was scored is written."""
        self._thread.settle()

    def _settle_and_raise(self, engine: Engine, error: Exception) -> None:
        """Write what was scored before the error, and let that end the run."""
        try:
            self._thread.settle()
        finally:
            raise error

    def _write(self, items: Sequence[dict[str, Any]]) -> None:
        try:
            for item, refusal in zip(items, check_frames(self.guard, items), strict=True):
                self._n_items += 1
                study = self._studies.add(item, refusal)
                if study is not None:
                    self._n_studies += 1
                    index = int(study.top.get("index", self.counts.total()))
                    self._keep(self._kept.before(index, self.counts.total()))
                    self._records.append(self._record(study, index))
        finally:
            self._records.flush()  # also those before an image that ends the run

    def _keep(self, records: Iterable[tuple[int, dict[str, Any]]]) -> None:
        """Write records of an earlier run."""
        for number, record in records:
            if self.audit is not None:  # they are given out again
                self.audit.add(record, self._calibration)
            self._records.append(record)
            self._cards.offer_kept(number, record)
            self.decisions[record["decision"]] += 1

    def _record(self, study: Study, index: int) -> dict[str, Any]:
        """Write the files of a study, and return its record."""
        rules: dict[str, Any] = {"alpha": self.alpha, "aggregate": self.aggregate, "map_range": self.map_range}
        result = judge(study, calibration=self._calibration, **rules)
        record = result.record()
        if self.audit is not None:
            self.audit.add(record, self._calibration)
        if result.status == "failed":
            self._first_failure = self._first_failure or result.reason
        number, pictures = self.counts.total(), Pictures()
        if result.status == "scored":
            pictures = self._pictures.write(result, number, index)
            pictures.add_to(record)
            self._cards.offer(number, result, pictures)
            self.decisions[str(result.decision)] += 1
        if self._dicom is not None:
            record |= self._dicom.write(result, number, index, pictures.whole)
        pictures.whole = None  # cards keep the rest
        return record

    def finish(self, engine: SupervisedEvaluator) -> None:
        """Check that every input file has its record, write table and page, and put all in its place.

        Raises:
            RuntimeError: when what is on the disk is not what was made, or does not add up to the data set, or nothing
                was scored because the network failed on every image. Earlier results are where they were.
        """
        self._thread.settle()
        n_in, n_out = count_inputs(engine, self._n_items), self._n_items
        if n_in != n_out:
            raise RuntimeError(
                f"{n_in} images went in and {n_out} came out; '{self._records.partial}' holds their records. Run the "
                "evaluator over the whole data set: no epoch_length, and a loader with drop_last=False."
            )
        self._studies.require_complete()
        self._keep(self._kept.rest(self.counts.total()))
        self._records.flush()
        check_on_disk(self._records.partial, self.counts, self._n_studies + self._kept.count)
        if self.counts["failed"] and not self.counts["scored"]:
            raise RuntimeError(
                f"Nothing was scored: the network failed on every image that could be read ({self._first_failure}); "
                f"'{self._records.partial}' has the records. Does the checkpoint fit the configuration's channels and "
                "image size?"
            )
        write_predictions(self._records.partial, self._folder.path / TABLE)
        self._write_page(engine)
        self._records.finish()
        self._folder.publish()
        self._print()

    def _write_page(self, engine: SupervisedEvaluator) -> None:
        calibration, made_of = self._calibration, [self.data_set]
        if "weights" in self.details:
            made_of.append(f"weights {self.details['weights']}")
        made_of.append(
            "uncalibrated" if calibration is None else f"calibration of {calibration.date[:10] or 'no date'}"
        )
        facts = InferenceFacts(
            head=make_head(
                self.title,
                datetime.now(timezone.utc),
                *made_of,
                unfinished=self.unfinished,
                pool_warning=self.pool_warning,
            ),
            map_range=self.map_range,
            threshold=None if calibration is None else calibration.threshold(self.alpha),
            false_alarm_rate=None if calibration is None else self.alpha,
            n_patients=None if calibration is None else calibration.n_patients,
            details=self.details,
        )
        redraw = partial(self._kept.redraw, engine)
        cards = self._cards.make(self.network, engine.state.device, self.map_range, redraw)
        page = render_inference(facts, read_records(self._records.partial), cards)
        atomic_write(self._folder.path / PAGE, page.encode("utf-8", errors="backslashreplace"))

    def _print(self) -> None:
        """Print, because this is the result that the person at the terminal waits for."""
        scored, rejected, failed = (self.counts[status] for status in ("scored", "rejected", "failed"))
        n_files = self.counts.total()
        kept = f"; {self._kept.count} of them were scored before" if self._earlier is not None else ""
        print(f"Inference: {n_files} files = {scored} scored + {rejected} rejected + {failed} failed{kept}")
        if scored:
            print(
                "Decisions: " + ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in sorted(self.decisions.items()))
            )
        print(f"Records: {self.records_path}")
        print(f"Page: {self.output_dir / PAGE}")
        if failed:
            _log.warning("%d of %d files failed; the records say why.", failed, n_files)
        if self._pictures.n_problems:
            text = "Of %d files a picture could not be written; the records say why, under warnings."
            _log.warning(text, self._pictures.n_problems)
