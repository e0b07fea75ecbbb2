# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How a normal scores when its picture is turned around: black to white, left to right."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from monai_anomaly.apps.acceptance.scored_image import ScoredImage
from monai_anomaly.bundle.anomaly_detector import AnomalyDetector
from monai_anomaly.scoring.result import Result

__all__ = ["MOST_PROBED", "probe", "spaced"]

MOST_PROBED = 100
"""Normals whose changed selves are scored, and that are scored again: evenly spaced ones of more."""


def spaced(images: list[ScoredImage], most: int) -> list[ScoredImage]:
    """Return at most so many images, evenly spaced."""
    if len(images) <= most:
        return images
    return [images[index] for index in np.linspace(0, len(images) - 1, most).round().astype(int)]


def probe(detector: AnomalyDetector, images: Iterable[ScoredImage]) -> None:
    """Score the changed selves of images, and keep what is seen in their ``probes``.

    The picture is what a viewer shows of the frame that scored highest, cropped as it was scored. Beside its inverted
    and its mirrored self it is scored as it is, so that nothing but the change is between them.

    Args:
        detector: that scored them.
        images: with a score.
    """
    for image in images:
        picture = detector.trained.preprocessing.reader.read(image.item["image"], image.result.frame).pixels
        if image.result.box is not None:
            x0, y0, x1, y1 = image.result.box
            picture = picture[:, y0:y1, x0:x1]
        pictures = [picture, 1 - picture, np.ascontiguousarray(picture[:, :, ::-1])]
        as_it_is, inverted, mirrored = detector.score(pictures, value_range=(0.0, 1.0), progress=False)
        noticed = inverted.decision in (None, "not_applicable", "anomalous")  # None: refused before it had a score
        image.probes |= {
            "inverted": {"score": inverted.score, "decision": inverted.decision, "noticed": noticed},
            "mirrored": {
                "score": mirrored.score,
                "decision": mirrored.decision,
                "difference": _difference(mirrored, as_it_is),
            },
        }


def _difference(one: Result, other: Result) -> float | None:
    return None if one.score is None or other.score is None else abs(one.score - other.score)
