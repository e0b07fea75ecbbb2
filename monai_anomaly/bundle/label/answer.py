# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What MONAI Label is told of a picture: the result, and the map as an array that it can write to a file."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from monai.transforms.transform import Transform

from monai_anomaly.bundle.label.refusals import refuse_converted, refuse_frames, refuse_other_weights
from monai_anomaly.bundle.label.written_map import RASTER_SUFFIX, VOLUME_SUFFIX, write_map
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.engines.consensus_inferer import ConsensusInferer
from monai_anomaly.guard.input_guard import InputGuard
from monai_anomaly.guard.member_guards import JointGuard
from monai_anomaly.scoring.guarding import check_frames
from monai_anomaly.scoring.result import Result, judge
from monai_anomaly.scoring.source_pictures import SourcePictures
from monai_anomaly.scoring.study import Study
from monai_anomaly.transforms.preprocessing import Preprocessing

__all__ = ["MAP_KINDS", "AnswerForLabel"]

MAP_KINDS = ("heat map", "region")
"""What the file shows: gray levels of the map, or 1 where the map reaches the threshold of the decision."""

_TOLD = (
    *("status", "score", "p_value", "decision", "decision_reason", "threshold", "false_alarm_rate"),
    *("map_range", "frame", "warnings", "source_shape", "box", "members", "left_out"),
)
"""What of a record is told: no hash, which is of this site, and no path."""


class AnswerForLabel(Transform):
    """Puts the result of a scored picture into ``result``, and its map into ``pred`` as MONAI Label's writer takes it.

    ``result`` holds what the same picture's record does, by the same names: ``score``, ``p_value``, ``decision`` and
    more. ``pred`` becomes uint8 ``(columns, rows)`` for a PNG, JPEG, BMP or TIFF, and is written as a PNG; for all else
    it is ``(columns, rows, 1)`` with the affine of its place, and is written as NIfTI. Both have the size of the stored
    frame. It holds 0 where the method saw nothing, else 1 to 255 from the low to the high end of ``map_range``; with
    ``map_kind`` ``"region"``, 1 where the map reaches the decision's threshold, else 0. A suffix and a type of values
    that the request asks for stay.

    Args:
        trained: the detector.
        preprocessing: that read the picture.
        calibrated: gives the calibration; None leaves scores uncalibrated.
        false_alarm_rate: of the decision.
        guard: says which pictures the detector was never shown the like of; None asks nobody.
        frames: which frames of a cine the detector scores; a request scores one.
        aggregate: how frames' scores make a cine's.
    """

    def __init__(
        self,
        *,
        trained: TrainedDetector,
        preprocessing: Preprocessing,
        calibrated: Callable[[], Calibration] | None,
        false_alarm_rate: float,
        guard: InputGuard | JointGuard | None,
        frames: str,
        aggregate: str,
    ) -> None:
        self.trained = trained
        self.preprocessing = preprocessing
        self.calibrated = calibrated
        self.false_alarm_rate = false_alarm_rate
        self.guard = guard
        self.frames = frames
        self.aggregate = aggregate

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with the answer.

        Args:
            data: ``image`` as the network saw it, its map ``pred`` ``(1, H, W)`` and its ``score``, what the reader
                says of it, and the request: ``image_path``, and possibly ``map_kind``.

        Raises:
            ConfigError: for what cannot be scored so that the score is right.
            RuntimeError: when the network's map is not finite.
        """
        item: dict[str, Any] = {str(key): value for key, value in data.items()}
        path = str(item["image_path"])
        refuse_other_weights(item.get("model_filename"))
        refuse_converted(path)
        refuse_frames(self.preprocessing.count_frames(path), self.frames, item.get("frame"))
        result = self._judge(item)
        record = result.record()
        sources = SourcePictures([{"index": 0, "image": path}], self.preprocessing.reader)
        written = write_map(result, sources, region=_one_of(item.get("map_kind")) == "region")
        answer = {key: record[key] for key in _TOLD if record[key] is not None}
        answer["score"] = result.require_score()
        return {
            **data,
            "result": answer,
            "pred": written.pixels,
            "result_extension": item.get("result_extension") or (RASTER_SUFFIX if written.flat else VOLUME_SUFFIX),
            "result_dtype": item.get("result_dtype") or "uint8",
            # MONAI Label's last step takes the place from here
            "image_meta_dict": {"original_affine": written.affine},
        }

    def _judge(self, item: dict[str, Any]) -> Result:
        """Return the result of the one frame that was scored."""
        item["name"] = "image"
        if isinstance(self.trained.inferer, ConsensusInferer):
            network: Any = self.trained.detector.to(memory_format=torch.channels_last)
            item.update(vars(self.trained.inferer.said(item["image"].cpu(), network)))
        study = Study(1, item)
        study.add(item, check_frames(self.guard, [item])[0])
        return judge(
            study,
            calibration=None if self.calibrated is None else self.calibrated(),
            alpha=self.false_alarm_rate,
            aggregate=self.aggregate,
            map_range=self.trained.map_range,
        )


def _one_of(choice: Any) -> str:
    """Return what a request chose: MONAI Label hands over the list of choices where it chose nothing."""
    return str(choice[0] if isinstance(choice, (list, tuple)) else choice or MAP_KINDS[0])
