# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The numbers of an acceptance test, one for each criterion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monai_anomaly.apps.acceptance.repeats import Again
from monai_anomaly.apps.acceptance.scored_image import ScoredImage
from monai_anomaly.metrics.bootstrap import mean_measure
from monai_anomaly.metrics.exact_interval import exact_interval
from monai_anomaly.metrics.image_level import image_level_metrics
from monai_anomaly.metrics.intervals import measure

__all__ = ["Evidence", "Measured", "measure_all", "score_spread"]

_BOOTSTRAP: dict[str, Any] = {"seed": 0, "n_bootstrap": 1000}


@dataclass(frozen=True)
class Measured:
    """A number, and what it rests on.

    Args:
        value: None where it cannot be measured; 0 or 1 for what is there or not.
        interval: its 95 % interval, where it has one.
        reason: why value or interval are missing.
        images: how many images it is of.
        patients: of how many patients.
        hits: of a share, the images that count.
        interval_by: how the interval was made.
    """

    value: float | None
    interval: tuple[float, float] | None = None
    reason: str = ""
    images: int = 0
    patients: int = 0
    hits: int | None = None
    interval_by: str = ""


@dataclass(frozen=True)
class Evidence:
    """All that was seen.

    Args:
        images: normal and abnormal ones, scored or not.
        calibrated: whether decisions rest on a calibration.
        guarded: whether an input guard looks at images.
        training_known: whether the checkpoint lists its training images.
        alone: largest difference of score when images are scored alone; None where one had none.
        again: what another process says; None where none was asked.
        seconds: of single images.
        peak_memory: of this process, in MiB; None where the system does not say.
    """

    images: Sequence[ScoredImage]
    calibrated: bool
    guarded: bool
    training_known: bool
    alone: float | None
    again: Again | None
    seconds: Sequence[float]
    peak_memory: float | None

    @property
    def normals(self) -> list[ScoredImage]:
        """Normals with a score."""
        return [image for image in self.images if image.is_normal and image.is_scored]

    @property
    def abnormal(self) -> list[ScoredImage]:
        """Abnormal images with a score."""
        return [image for image in self.images if not image.is_normal and image.is_scored]


def measure_all(evidence: Evidence) -> dict[str, Measured]:
    """Return what is measured of each criterion, by its name."""
    normals, abnormal = evidence.normals, evidence.abnormal
    return {
        "calibrated": Measured(float(evidence.calibrated)),
        "seen_before": _seen_before(evidence),
        "readable": _share(evidence.images, [image.is_scored for image in evidence.images]),
        "guard_refusals": _guard_refusals(evidence),
        "false_alarms": _false_alarms(evidence),
        "sensitivity": _sensitivity(evidence),
        "auc": _auc(normals, abnormal),
        "inverted": _inverted(evidence),
        "mirrored": _mirrored(normals),
        **_repeats(evidence),
        "seconds": _if_any(evidence.seconds, Measured(_percentile(evidence.seconds, 95), images=len(evidence.seconds))),
        "memory": Measured(evidence.peak_memory, reason="" if evidence.peak_memory else "this system does not say"),
    }


def score_spread(normals: Sequence[ScoredImage]) -> float:
    """Return the interquartile range of the normals' scores; 0 of fewer than four."""
    if len(normals) < 4:
        return 0.0
    low, high = np.quantile([image.score for image in normals], [0.25, 0.75])
    return float(high - low)


def _share(images: Sequence[ScoredImage], hits: Sequence[bool], none: str = "there are no such images") -> Measured:
    """Return the share of images that count, with an interval by patients."""
    if not images:
        return Measured(None, reason=none)
    patients, codes = np.unique([image.patient for image in images], return_inverse=True)
    counted: dict[str, Any] = {"images": len(images), "patients": len(patients), "hits": sum(hits)}
    if len(patients) == len(images):
        return Measured(sum(hits) / len(hits), exact_interval(sum(hits), len(hits)), interval_by="exact", **counted)
    number = mean_measure(np.asarray(hits, np.float64), codes, **_BOOTSTRAP)
    return _from(number, interval_by="by patients", **counted)


def _from(number: dict[str, Any], **more: Any) -> Measured:
    """Return a measure of :mod:`monai_anomaly.metrics.intervals`."""
    interval = None if number["interval"] is None else (float(number["interval"][0]), float(number["interval"][1]))
    return Measured(number["value"], interval, number["reason"], **more)


def _if_any(things: Sequence[Any], measured: Measured) -> Measured:
    return measured if things else Measured(None, reason="no normal image has a score")


def _seen_before(evidence: Evidence) -> Measured:
    if not evidence.training_known:
        return Measured(None, reason="the checkpoint does not list its training images")
    seen = sum(image.in_training or image.in_calibration for image in evidence.normals)
    return _if_any(evidence.normals, Measured(float(seen), images=len(evidence.normals)))


def _guard_refusals(evidence: Evidence) -> Measured:
    if not evidence.guarded:
        return Measured(None, reason="the checkpoint has no input guard")
    return _share(evidence.normals, [image.is_refused for image in evidence.normals])


def _false_alarms(evidence: Evidence) -> Measured:
    if not evidence.calibrated:
        return Measured(None, reason="without a calibration there are no decisions")
    judged = [image for image in evidence.normals if not image.is_refused]
    return _share(judged, [image.is_flagged for image in judged], "no normal was scored and not refused")


def _sensitivity(evidence: Evidence) -> Measured:
    if not evidence.calibrated:
        return Measured(None, reason="without a calibration there are no decisions")
    abnormal = evidence.abnormal
    return _share(abnormal, [image.is_flagged for image in abnormal], "no abnormal study was given, or none was scored")


def _auc(normals: Sequence[ScoredImage], abnormal: Sequence[ScoredImage]) -> Measured:
    both = [*normals, *abnormal]
    if not normals or not abnormal:
        return Measured(None, reason="no abnormal study was given, or none was scored")
    scores = [image.score for image in both]
    if min(scores) == max(scores):
        return Measured(None, reason="all scores are equal")
    labels, patients = [int(not image.is_normal) for image in both], [image.patient for image in both]
    numbers = image_level_metrics(labels, scores, patients, **_BOOTSTRAP)
    interval = numbers["auroc_interval"]
    why = "" if interval else "fewer than two patients of a class"
    number = measure(numbers["auroc"], interval, why)
    return _from(number, images=len(both), patients=len(set(patients)), interval_by="by patients")


def _inverted(evidence: Evidence) -> Measured:
    if not evidence.calibrated:
        return Measured(None, reason="without a calibration there are no decisions")
    probed = [image for image in evidence.normals if "inverted" in image.probes]
    return _share(probed, [image.probes["inverted"]["noticed"] for image in probed])


def _mirrored(normals: Sequence[ScoredImage]) -> Measured:
    found = [image.probes["mirrored"]["difference"] for image in normals if "mirrored" in image.probes]
    if not found or None in found:
        return Measured(None, reason="a mirrored image has no score" if found else "no normal image has a score")
    value = _in_spreads(float(np.median(found)), normals)
    return Measured(value, reason="" if value is not None else _NO_SPREAD, images=len(found))


def _repeats(evidence: Evidence) -> dict[str, Measured]:
    normals, again = evidence.normals, evidence.again
    if not normals or again is None:
        missing = Measured(None, reason="no normal image has a score")
        return {"repeatability": missing, "threads": missing}
    if evidence.alone is None:
        missing = Measured(None, reason="an image had no score when it was scored again")
        return {"repeatability": missing, "threads": missing}
    if again.difference is None or again.other_threads is None:
        missing = Measured(None, reason=again.reason)
        return {"repeatability": missing, "threads": missing}
    found = {"repeatability": max(evidence.alone, again.difference), "threads": again.other_threads}
    values = {name: _in_spreads(difference, normals) for name, difference in found.items()}
    return {name: Measured(value, reason="" if value is not None else _NO_SPREAD) for name, value in values.items()}


_NO_SPREAD = "fewer than four normals have a score, or half of them the same one"


def _in_spreads(difference: float, normals: Sequence[ScoredImage]) -> float | None:
    if difference == 0:
        return 0.0
    spread = score_spread(normals)
    return difference / spread if spread > 0 else None


def _percentile(values: Sequence[float], percent: int) -> float | None:
    return float(np.percentile(values, percent)) if values else None
