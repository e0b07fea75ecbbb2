# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""One record per input file and a heat map for each that was scored."""

from __future__ import annotations

import json
import logging
import math
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from ignite.engine import Engine, Events

from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.calibration.conformal import check_rate
from monai_anomaly.handlers.scoring.items import count_inputs, evaluated_items, require_single_process
from monai_anomaly.metrics.study_score import check_aggregate
from monai_anomaly.scoring.guarding import Guard, check_frames
from monai_anomaly.scoring.result import judge
from monai_anomaly.scoring.study import Study, StudyCollector
from monai_anomaly.utils.atomic import atomic_path
from monai_anomaly.utils.heatmap import encode_heatmap

__all__ = ["InferenceWriter"]

_log = logging.getLogger(__name__)
_OUR_MAP = re.compile(r"\d{6,}_[A-Za-z0-9_-]*\.png")


class InferenceWriter:
    """Writes ``records.jsonl`` and ``maps/*.png`` from an evaluator whose items may be good, rejected or failed.

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
    * ``map``: path of the heat map relative to ``output_dir``, or null;
    * ``map_range``: the values of the map's first and last color, or null;
    * ``code`` and ``reason``: why there is no score, or null;
    * ``frame``: the frame of a cine that the map shows, the one with the highest score, or null;
    * ``frames`` and ``frame_scores``: all frames that were scored and their scores, or null for a single one;
    * ``warnings``: what the reader had to assume, or null;
    * ``source_shape`` and ``box``: rows and columns of the stored frame, and ``[x0, y0, x1, y1]``, half open, the part
      of it that the network saw and the map shows; null where the file was not read.

    The heat map is a palette PNG of the network's size; see :func:`monai_anomaly.utils.heatmap.encode_heatmap`. Its
    name is the running number and the stem of the file's name, and nothing from inside the file.

    While the run goes on, records are appended to ``records.jsonl.partial``, each flushed to the system before the next
    image, so that a crash at file 900 leaves 899 records. The last step renames the file: ``records.jsonl`` exists only
    when every input file has its record. The records and maps of an earlier run in the same folder are removed at the
    start, so that nothing of two runs is mixed.

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

    Raises:
        ValueError: when ``map_range`` is not two rising finite numbers, ``aggregate`` is unknown, or ``alpha`` is not
            in (0, 1).
        CalibrationError: at the start of the run, when the calibration has too few patients for ``alpha``.
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
    ) -> None:
        low, high = (float(value) for value in map_range)
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"map_range must be two rising finite numbers, got {map_range}.")
        self.output_dir = Path(output_dir).absolute()
        self.map_range = (low, high)
        self.aggregate = check_aggregate(aggregate)
        self.calibration = calibration
        self.alpha = check_rate(alpha)
        self.guard = guard
        self._reset()

    def _reset(self) -> None:
        self.counts: Counter[str] = Counter()
        self.decisions: Counter[str] = Counter()
        self._studies = StudyCollector()
        self._n_items = 0
        self._first_failure: str | None = None

    @property
    def records_path(self) -> Path:
        """Where the records are when the run is complete."""
        return self.output_dir / "records.jsonl"

    @property
    def _partial_path(self) -> Path:
        return self.output_dir / "records.jsonl.partial"

    def attach(self, engine: Engine) -> None:
        """Attach the writer to an evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.write)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Make the folder and clear what an earlier run left in it.

        Raises:
            RuntimeError: when the run is distributed.
        """
        require_single_process("InferenceWriter")
        self._calibration = self.calibration() if callable(self.calibration) else self.calibration
        if self._calibration is not None:
            self._calibration.require_rate(self.alpha)
        self._reset()
        maps = self.output_dir / "maps"
        maps.mkdir(parents=True, exist_ok=True)
        if not maps.resolve().is_relative_to(self.output_dir.resolve()):
            raise ValueError(f"'{maps}' is a link out of the output folder; remove it or take another output_dir.")
        self.records_path.unlink(missing_ok=True)
        for path in maps.iterdir():
            if _OUR_MAP.fullmatch(path.name):
                path.unlink()
        self._partial_path.write_bytes(b"")

    def write(self, engine: Engine) -> None:
        """Write the maps and the records of one batch."""
        # backslashreplace: a file name that is no UTF-8 becomes a JSON escape instead of an error
        with open(self._partial_path, "a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            items = evaluated_items(engine)
            for item, refusal in zip(items, check_frames(self.guard, items), strict=True):
                self._n_items += 1
                study = self._studies.add(item, refusal)
                if study is None:
                    continue
                record = self._record(study)
                file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
                file.flush()
                self.counts[record["status"]] += 1

    def finish(self, engine: Engine) -> None:
        """Check that every input file has its record, and give the records their final name.

        Raises:
            RuntimeError: when the records do not add up to the data set, or nothing was scored because the network
                failed on every image.
        """
        n_in, n_out = count_inputs(engine, self._n_items), self._n_items
        if n_in != n_out:
            raise RuntimeError(
                f"{n_in} images went in and {n_out} came out; '{self._partial_path}' holds their records. Run the "
                "evaluator over the whole data set: no epoch_length, and a loader with drop_last=False."
            )
        self._studies.require_complete()
        with atomic_path(self.records_path) as temporary:
            os.replace(self._partial_path, temporary)
        scored, rejected, failed = (self.counts[status] for status in ("scored", "rejected", "failed"))
        n_files = self.counts.total()
        print(f"Inference: {n_files} files = {scored} scored + {rejected} rejected + {failed} failed")
        if scored:
            print(
                "Decisions: " + ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in sorted(self.decisions.items()))
            )
        print(f"Records: {self.records_path}")
        if failed:
            _log.warning("%d of %d files failed; the records say why.", failed, n_files)
        if failed and not scored:
            raise RuntimeError(
                f"Nothing was scored: the network failed on every image that could be read ({self._first_failure}). "
                "Does the checkpoint fit the configuration's channels and image size?"
            )

    def _record(self, study: Study) -> dict[str, Any]:
        """Write the map of a study that has one, and return its record."""
        rules: dict[str, Any] = {"alpha": self.alpha, "aggregate": self.aggregate, "map_range": self.map_range}
        result = judge(study, calibration=self._calibration, **rules)
        record = result.record()
        if result.status == "failed":
            self._first_failure = self._first_failure or result.reason
        if result.anomaly_map is not None:
            record["map"] = self._write_map(result.name, result.anomaly_map)
            self.decisions[str(result.decision)] += 1
        return record

    def _write_map(self, name: str, anomaly_map: npt.NDArray[np.float32]) -> str:
        """Write one heat map, whole or not at all, and return its path relative to the output folder."""
        relative = f"maps/{self.counts.total():06d}_{_safe_stem(name)}.png"
        path = self.output_dir / relative
        data = encode_heatmap(anomaly_map, self.map_range)
        try:
            path.write_bytes(data)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return relative


def _safe_stem(name: str) -> str:
    """Return the stem of a file name with nothing that a file system, a shell or a browser could take for more."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", PurePosixPath(name).stem)[:60].strip("_") or "image"
