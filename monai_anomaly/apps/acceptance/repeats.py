# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether an image that is scored again gets its score again, and how long one takes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import torch

from monai_anomaly.apps.acceptance.scored_image import ScoredImage
from monai_anomaly.bundle.anomaly_detector import AnomalyDetector

__all__ = ["MOST_REPEATED", "Again", "Opened", "score_alone", "score_elsewhere"]

MOST_REPEATED = 10
"""Normals that another process scores again."""

_MODULE = "monai_anomaly.apps.acceptance.other_process"
_LIMIT_SECONDS = 1800


@dataclass(frozen=True)
class Opened:
    """How the detector was opened, for another process to do the same.

    Args:
        checkpoint: path of the weights.
        calibration: path, or None for the one beside the weights.
        false_alarm_rate: of the decisions.
        device: None for the usual one.
        frames: rule of a cine; None for the training's.
        aggregate: rule of a cine's score.
    """

    checkpoint: str
    calibration: str | None
    false_alarm_rate: float
    device: str | None
    frames: str | None
    aggregate: str


@dataclass(frozen=True)
class Again:
    """What another process says.

    Args:
        difference: largest difference of score with as many threads; None where there is none to be had.
        other_threads: the same with another number of threads.
        threads: the two numbers.
        reason: why there is no difference.
    """

    difference: float | None
    other_threads: float | None
    threads: tuple[int, int]
    reason: str = ""


def score_alone(detector: AnomalyDetector, images: Sequence[ScoredImage]) -> tuple[float | None, list[float]]:
    """Score images one at a time, in reverse order.

    Args:
        detector: that scored them among others.
        images: with a score, at least one.

    Returns:
        The largest difference of score, None where one has none this time, and the seconds that each took.
    """
    list(detector.score_items([dict(images[0].item)]))  # what the first one costs more is no image's own
    differences: list[float | None] = []
    seconds = []
    for image in reversed(images):
        start = perf_counter()
        (again,) = detector.score_items([dict(image.item)])
        seconds.append(perf_counter() - start)
        image.probes["alone"] = {"score": again.score}
        differences.append(None if again.score is None else abs(again.score - image.score))
    found = [difference for difference in differences if difference is not None]
    return (max(found) if len(found) == len(differences) else None), seconds


def score_elsewhere(opened: Opened, images: Sequence[ScoredImage]) -> Again:
    """Score images in a new process, with as many CPU threads as here, then with another number.

    Args:
        opened: how the detector was opened.
        images: with a score.
    """
    here = torch.get_num_threads()
    threads = (here, 1 if here > 1 else 2)
    items = [
        {key: image.item[key] for key in ("image", "name", "frame", "frames") if key in image.item} for image in images
    ]
    told = json.dumps({"opened": asdict(opened), "threads": threads, "items": items})
    command = [sys.executable, "-m", _MODULE]
    try:
        done = subprocess.run(command, input=told, capture_output=True, text=True, check=True, timeout=_LIMIT_SECONDS)
        scores: list[list[Any]] = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, OSError, ValueError, IndexError) as error:  # its own words may hold a path
        return Again(None, None, threads, f"the other process did not answer ({type(error).__name__})")
    same, other = (max(abs(there - image.score) for there, image in zip(run, images, strict=True)) for run in scores)
    return Again(same, other, threads)
