# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Scores a whole datastore; goes on where it was ended, and past files that are broken."""

from __future__ import annotations

import logging
import time
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from monai_anomaly.apps.label.answer import score_image
from monai_anomaly.apps.label.score_store import ScoreStore, rules_of
from monai_anomaly.apps.label.studies import Studies, path_of, stamp_of
from monai_anomaly.bundle.anomaly_detector import AnomalyDetector

__all__ = ["FOLDER", "score_studies", "store_of"]

FOLDER = "anomaly"
"""The folder of scores, beside MONAI Label's own ``labels``."""
_SAY_EVERY = 20.0
_RULES: WeakKeyDictionary[AnomalyDetector, str] = WeakKeyDictionary()

logger = logging.getLogger(__name__)


def store_of(studies: Studies, detector: AnomalyDetector) -> ScoreStore:
    """Return the scores of a datastore by a detector."""
    if detector not in _RULES:
        _RULES[detector] = rules_of(detector)
    return _open_store(studies.home / FOLDER, _RULES[detector])


@lru_cache(maxsize=16)
def _open_store(folder: Path, rules: str) -> ScoreStore:
    """Return the one store of a file, which is read once."""
    return ScoreStore(folder, rules)


def score_studies(detector: AnomalyDetector, studies: Studies, *, again: bool = False) -> dict[str, Any]:
    """Score what has no score by this detector, or has changed since.

    An image that the reader refuses has a record that says so, and is tried again when its file changes; one that could
    not be had, or that the network failed on, is tried again each time.

    Args:
        detector: who scores.
        studies: the images.
        again: score everything anew.

    Returns:
        ``images``, ``kept`` (scored before), ``scored``, ``rejected`` and ``failed`` (numbers), ``reasons`` (the number
        of each code), ``seconds``.
    """
    store, start, said = store_of(studies, detector), time.monotonic(), time.monotonic()
    images, counts, reasons = studies.list_images(), Counter[str](), Counter[str]()
    known = {} if again else dict(store.records())
    for number, image in enumerate(images):
        record = _score(detector, studies, image, known.get(image), store)
        counts["kept" if record is None else record["status"]] += 1
        if record is not None and record["code"]:
            reasons[record["code"]] += 1
        if time.monotonic() - said > _SAY_EVERY:
            said = time.monotonic()
            logger.info("%d of %d images: %s", number + 1, len(images), _say(counts))
    logger.info("%d images: %s", len(images), _say(counts))
    numbers = {name: counts[name] for name in ("kept", "scored", "rejected", "failed")}
    seconds = round(time.monotonic() - start, 1)
    return {"images": len(images), **numbers, "reasons": dict(reasons), "seconds": seconds}


def _score(
    detector: AnomalyDetector, studies: Studies, image: str, known: dict[str, Any] | None, store: ScoreStore
) -> dict[str, Any] | None:
    """Return the new record; None where the known one holds."""
    try:
        path = path_of(studies, image)
        stamp = stamp_of(path)
        if known is not None and known["stamp"] == stamp and known["status"] != "failed":
            return None
        record = score_image(detector, path).record()
    except (OSError, ValueError) as error:  # a server that does not answer, a file that went away
        code = getattr(error, "code", "unavailable")
        stamp, record = "", _failed(code if isinstance(code, str) else "unavailable", error)
    store.append(image, stamp, record)
    return record


def _failed(code: str, error: Exception) -> dict[str, Any]:
    reason = getattr(error, "message", f"the image could not be had ({type(error).__name__}).")
    return {"status": "failed", "score": None, "p_value": None, "decision": None, "code": code, "reason": str(reason)}


def _say(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
