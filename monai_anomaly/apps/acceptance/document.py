# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The acceptance test as JSON: everything, of which the page shows the main part."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from monai_anomaly.apps.acceptance.criteria import CRITERIA
from monai_anomaly.apps.acceptance.limits import Limits
from monai_anomaly.apps.acceptance.measures import Evidence, Measured, score_spread
from monai_anomaly.apps.acceptance.scored_image import ScoredImage
from monai_anomaly.apps.acceptance.verdicts import judge, judge_all
from monai_anomaly.data.sets.duplicates import find_duplicates

__all__ = ["SCHEMA_VERSION", "make_document"]

SCHEMA_VERSION = 1


def make_document(
    *,
    evidence: Evidence,
    measured: Mapping[str, Measured],
    limits: Limits,
    left_out: Mapping[str, int],
    detector: Mapping[str, Any],
    software: Mapping[str, Any],
    times: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what ``acceptance.json`` holds; the same for the same inputs, apart from ``times`` and what is timed.

    Args:
        evidence: all that was seen.
        measured: the number of each criterion.
        limits: what the numbers must keep.
        left_out: files of the folders that are no images to look at, by the reason.
        detector: see :func:`~monai_anomaly.apps.acceptance.identity.describe_detector`.
        software: see :func:`~monai_anomaly.apps.acceptance.identity.describe_software`.
        times: date, and how long it took.
    """
    verdicts = {name: judge(name, measured[name], limits.of[name]) for name in CRITERIA}
    criteria = []
    for name, criterion in CRITERIA.items():
        limit, verdict, number = limits.of[name], verdicts[name], asdict(measured[name])
        given = None if limit is None else {criterion.sense: limit.bound, "by": limit.by}
        criteria.append(
            {"name": name, "title": criterion.title, "unit": criterion.unit, "how": criterion.how}
            | number
            | {"limit": given, "verdict": verdict.verdict, "note": verdict.reason}
        )
    return {
        "format": "monai_anomaly acceptance test",
        "schema_version": SCHEMA_VERSION,
        "verdict": judge_all(verdicts.values()),
        "criteria": criteria,
        "limits": {
            "sha256": limits.sha256,
            "is_default": limits.is_default,
            "false_alarm_rate": limits.false_alarm_rate,
        },
        "normals": _describe([image for image in evidence.images if image.is_normal]),
        "abnormal": _describe([image for image in evidence.images if not image.is_normal]),
        "left_out": dict(left_out),
        "in_both_classes": _in_both(evidence),
        "score_spread_of_normals": score_spread(evidence.normals),
        "detector": dict(detector),
        "software": dict(software),
        "images": [_row(image) for image in evidence.images],
        "times": dict(times),
    }


def _describe(images: Sequence[ScoredImage]) -> dict[str, Any]:
    """Return what is to be said of the images of a class."""
    pixels = [image.pixels for image in images if image.pixels]
    return {
        "files": len(images),
        "patients": len({image.patient for image in images}),
        "scored": sum(image.is_scored for image in images),
        "decisions": dict(sorted(Counter(str(i.result.decision) for i in images if i.is_scored).items())),
        "not_scored": dict(sorted(Counter(str(i.result.code) for i in images if not i.is_scored).items())),
        "in_training": sum(image.in_training for image in images),
        "in_calibration": sum(image.in_calibration for image in images),
        "copies": sum(len(group) - 1 for group in find_duplicates(pixels)),
        "pixels_sha256": hashlib.sha256("\n".join(sorted(pixels)).encode()).hexdigest(),
    }


def _in_both(evidence: Evidence) -> int:
    """Return how many pictures are given as normal and as abnormal."""
    return len({image.pixels for image in evidence.normals} & {image.pixels for image in evidence.abnormal})


def _row(image: ScoredImage) -> dict[str, Any]:
    result = image.result
    return {
        "set": image.item["set"],
        "id": image.item["name"],
        "input_digest": result.input_digest,
        "patient": image.patient,
        "label": image.item["label"],
        "status": result.status,
        "score": result.score,
        "p_value": result.p_value,
        "decision": result.decision,
        "decision_reason": result.decision_reason,
        "code": result.code,
        "reason": result.reason,
        "warnings": result.warnings,
        "in_training": image.in_training,
        "in_calibration": image.in_calibration,
        **{word: image.probes.get(word) for word in ("inverted", "mirrored", "alone")},
    }
