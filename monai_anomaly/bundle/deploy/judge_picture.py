# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config.type_definitions import KeysCollection
from monai.transforms.transform import MapTransform

from monai_anomaly.bundle.deliverable.card import read_card_text
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.scoring.guarding import check_frames
from monai_anomaly.scoring.map_encoders import map_to_indices
from monai_anomaly.scoring.result import Result, judge
from monai_anomaly.scoring.study import Study
from monai_anomaly.transforms.score import ScoreFromMap

__all__ = ["JudgePictured"]

_FILE = "inference.json"
_AGGREGATE = "max"
"""One frame is scored at a time, so that it says nothing but what calibrations were made with."""


class JudgePictured(MapTransform):
    """Gives score, p-value and decision of a map, and the map on its picture: the postprocessing for MONAI Deploy.

    The map becomes uint8 ``(1, rows, columns)``, of the picture's size: 0 is what the network did not see, and a value
    v from 1 to 255 stands for ``low + (v - 1) * (high - low) / 254`` of the detector's ``map_range``, as in the PNG
    files. ``score`` and ``p_value`` are numbers, the latter NaN without a calibration; ``decision`` and
    ``decision_reason`` are texts, as a :class:`~monai_anomaly.scoring.result.Result` has them.

    Args:
        keys: of the map, ``(1, H, W)``.
        card: the detector's card, as JSON.
        image_key: of the picture that was prepared.
        false_alarm_rate: of the decision, in (0, 1).
        guard: whether the detector's input guard is asked.

    Raises:
        CalibrationError: when the card's calibration has too few patients for the rate.
    """

    def __init__(
        self,
        keys: KeysCollection,
        card: str,
        image_key: str = "image",
        *,
        false_alarm_rate: float = 0.1,
        guard: bool = True,
    ) -> None:
        super().__init__(keys)
        content = read_card_text(card, _FILE)
        trained = TrainedDetector(_FILE, content, content["model_hash"])
        self.guard = trained.guard if guard else None
        self.calibration = _calibration(content["calibration"], trained, false_alarm_rate)
        self.map_range = trained.map_range
        self.alpha, self.image_key = false_alarm_rate, image_key
        self.score = ScoreFromMap()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with what is said of it.

        Raises:
            RuntimeError: for a map that is not finite.
        """
        item = dict(data)
        for key in self.key_iterator(item):
            result = self.judge(item, item[key])
            indices = map_to_indices(result.map_on_source, self.map_range)
            item |= {
                key: torch.from_numpy(indices)[None],
                "score": result.require_score(),
                "p_value": float("nan") if result.p_value is None else result.p_value,
                "decision": result.decision,
                "decision_reason": result.decision_reason,
            }
        return item

    def judge(self, item: Mapping[Hashable, Any], anomaly_map: torch.Tensor) -> Result:
        """Return all that is said of one picture.

        Args:
            item: what :class:`.PreparePictured` returned.
            anomaly_map: ``(1, H, W)``.

        Raises:
            RuntimeError: for a map that is not finite.
        """
        plain = anomaly_map.detach().as_subclass(torch.Tensor).float().cpu()
        scored: dict[str, Any] = {
            **{str(key): value for key, value in item.items()},
            "name": "",
            "image": item[self.image_key],
            "pred": plain,
            "score": self.score(plain),
        }
        study = Study(1, scored)
        study.add(scored, *check_frames(self.guard, [scored]))
        rules: dict[str, Any] = {"alpha": self.alpha, "aggregate": _AGGREGATE, "map_range": self.map_range}
        result = judge(study, calibration=self.calibration, **rules)
        result.require_score()
        return result


def _calibration(content: Mapping[str, Any] | None, trained: TrainedDetector, rate: float) -> Calibration | None:
    if content is None:
        return None
    calibration = Calibration.from_content(content, _FILE)
    calibration.require_match(trained.model_hash, trained.spec_hash, trained.spec["data"]["frames"], _AGGREGATE)
    calibration.require_rate(rate)
    return calibration
