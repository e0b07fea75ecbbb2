# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What is said of one image of MONAI Label, which may be a folder: a series of a DICOMweb server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_anomaly.apps.label.studies import files_of
from monai_anomaly.bundle.anomaly_detector import AnomalyDetector
from monai_anomaly.scoring.result import Result

__all__ = ["LABELS", "Answer", "score_image"]

LABELS = {"anomaly": 1}
_FILES = ("image", "map", "overlay", "overlay_shape", "map_digest", "overlay_digest")
"""Keys of a record that name files, of which there are none here."""


@dataclass(frozen=True)
class Answer:
    """What is said of an image.

    Args:
        result: of the file; of several, the one with the highest score.
        path: its file.
        scores: of all files that were scored, in their order; empty for one file.
        guarded: whether an input guard looked at it.
    """

    result: Result
    path: Path
    scores: tuple[float, ...]
    guarded: bool

    def record(self) -> dict[str, Any]:
        """Return plain values for JSON: those of :meth:`.Result.record`, without files, and three more.

        ``applicable`` says whether the input guard knows such images (None where nobody asked it), and ``images`` and
        ``image_scores`` are of a series of several.
        """
        record = {key: value for key, value in self.result.record().items() if key not in _FILES}
        known = self.guarded and self.result.status == "scored"
        several = len(self.scores) > 1
        return record | {
            "applicable": self.result.decision != "not_applicable" if known else None,
            "images": len(self.scores) if several else None,
            "image_scores": list(self.scores) if several else None,
        }


def score_image(detector: AnomalyDetector, path: Path) -> Answer:
    """Score a file, or the files of a folder.

    Of a folder, the image with the highest score stands for all; other objects in it, such as reports, do not count,
    unless nothing else is there. Its p-value and decision are those of one image: among many, one is high by chance.

    Args:
        detector: who scores.
        path: the file or the folder.
    """
    files = files_of(path)
    results = list(detector.score([str(file) for file in files], progress=False)) if files else []
    if not results:
        nothing = Result(name="", status="rejected", code="not_found", reason="the folder has no file.")
        return Answer(nothing, path, (), detector.guard is not None)
    best = max(range(len(results)), key=lambda i: _height(results, i))
    scores = tuple(result.score for result in results if result.score is not None)
    return Answer(results[best], files[best], scores, detector.guard is not None)


def _height(results: Sequence[Result], index: int) -> tuple[bool, float]:
    score = results[index].score
    return score is not None, 0.0 if score is None else score
