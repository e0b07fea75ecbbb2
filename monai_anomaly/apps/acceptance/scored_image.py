# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What is kept of each image that an acceptance test scored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from monai_anomaly.bundle.anomaly_detector import AnomalyDetector
from monai_anomaly.data.sets.duplicates import fingerprint, pixel_hash
from monai_anomaly.scoring.result import Result

__all__ = ["ScoredImage", "score_images"]


@dataclass
class ScoredImage:
    """One file, its result without pixels, and where it was seen before.

    Args:
        item: of the data list.
        result: without map and image.
        pixels: hashes of its frames as the network got them, joined; empty without a score.
        in_training: whether one of them was trained on.
        in_calibration: whether its score is a calibration normal's, to the last bit.
        probes: what was seen of its changed selves, by a word.
    """

    item: Mapping[str, Any]
    result: Result
    pixels: str = ""
    in_training: bool = False
    in_calibration: bool = False
    probes: dict[str, Any] = field(default_factory=dict)

    @property
    def is_normal(self) -> bool:
        """Whether it was given as normal."""
        return bool(self.item["label"] == 0)

    @property
    def is_scored(self) -> bool:
        """Whether it has a score."""
        return self.result.score is not None

    @property
    def is_refused(self) -> bool:
        """Whether the input guard refuses it."""
        return self.result.decision == "not_applicable"

    @property
    def is_flagged(self) -> bool:
        """Whether it is called anomalous."""
        return self.result.decision == "anomalous"

    @property
    def score(self) -> float:
        """The score, which there must be."""
        return self.result.require_score()

    @property
    def patient(self) -> str:
        """The patient, as a keyed hash."""
        return str(self.item["group"])


def score_images(detector: AnomalyDetector, items: list[dict[str, Any]]) -> Iterator[ScoredImage]:
    """Yield every image of a list, in order.

    Args:
        detector: with its calibration and guard.
        items: of :func:`~monai_anomaly.apps.acceptance.local_images.list_local_images`.
    """
    known = {int(value) for value in _or_none(detector.trained.fingerprints)}
    calibrated = set() if detector.calibration is None else set(detector.calibration.scores)
    for item, result in zip(items, detector.score_items(items), strict=True):
        hashes = [] if result.score is None else list(_frame_hashes(detector, item, result))
        yield ScoredImage(
            item,
            without_pixels(result),
            " ".join(hashes),
            in_training=any(fingerprint(value) in known for value in hashes),
            in_calibration=result.score in calibrated,
        )


def without_pixels(result: Result) -> Result:
    """Return a result that holds no picture: those of a whole site do not fit the memory."""
    kept = {name: getattr(result, name) for name in result.__dataclass_fields__}
    return Result(**{**kept, "anomaly_map": None, "image": None, "origin": None})


def _frame_hashes(detector: AnomalyDetector, item: Mapping[str, Any], result: Result) -> Iterator[str]:
    """Yield the hash of each frame; of a cine, the result has one, and the others are read again."""
    if result.frames is None:
        yield pixel_hash(result.image)  # type: ignore[arg-type]  # there is a score
        return
    for frame in result.frames:
        read = detector.trained.preprocessing({"image": item["image"], "frame": frame})
        yield pixel_hash(read["image"])


def _or_none(values: Any) -> Iterable[int] | Collection[int]:
    return () if values is None else values
