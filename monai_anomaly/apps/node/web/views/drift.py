# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether the last days' images are like those of the calibration."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from monai_anomaly.apps.node.database.tables import Detector, Job, JobState, now
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["DAYS", "FALSE_ALARMS", "Drift", "DriftCheck"]

DAYS = 7
"""How far back records are compared."""

FALSE_ALARMS = 0.01
"""How often a period without drift alarms, at most."""

_WINDOW = 50
_MOST_RECORDS = 2000
_KEPT_SECONDS = 600.0


@dataclass(frozen=True)
class Drift:
    """What a check says.

    Args:
        alarms: sentences; empty for no drift.
        records: that were looked at.
        reason: why nothing was compared; empty when it was.
    """

    alarms: tuple[str, ...] = ()
    records: int = 0
    reason: str = ""


class DriftCheck:
    """Compares the newest detector's records with its calibration's, and keeps what it found for ten minutes.

    Args:
        reference: the calibration's records; None where nobody named them.
    """

    def __init__(self, reference: Path | None) -> None:
        self._reference = reference
        self._lock = threading.Lock()
        self._found: tuple[float, Drift] | None = None

    def look(self, session: Session) -> Drift:
        """Return what there is to say now."""
        with self._lock:
            if self._found is None or time.monotonic() - self._found[0] > _KEPT_SECONDS:
                self._found = time.monotonic(), self._compare(session)
            return self._found[1]

    def _compare(self, session: Session) -> Drift:
        from monai_anomaly.apps.drift.assessment import assess
        from monai_anomaly.apps.drift.drift_page import alarm_sentences
        from monai_anomaly.apps.drift.record_columns import make_columns, read_records, used_rate

        if self._reference is None:
            return Drift(reason="The calibration's records (calibration_records.jsonl) are not beside the calibration.")
        detector = session.scalar(select(Detector.id).order_by(Detector.first_used_at.desc()).limit(1))
        if detector is None:
            return Drift(reason="There is no result yet.")
        records = _records(session, detector)
        try:
            reference = read_records([self._reference])
            rate = used_rate([*records, *reference])
            columns = make_columns(records, rate), make_columns(reference, rate)
            found = assess(*columns, window=_WINDOW, false_alarms=FALSE_ALARMS)
        except ConfigError as error:
            return Drift(records=len(records), reason=f"Not compared: {error}")
        return Drift(tuple(alarm_sentences(found)), len(records))


def _records(session: Session, detector: int) -> list[dict[str, object]]:
    """Return the last records in the order of time."""
    query = (
        select(Job.record)
        .where(
            Job.detector_id == detector,
            Job.created_at >= now() - timedelta(days=DAYS),
            Job.record.is_not(None),
            Job.state.not_in((JobState.QUEUED, JobState.SCORING)),
        )
        .order_by(Job.created_at.desc())
        .limit(_MOST_RECORDS)
    )
    return [record for record in session.scalars(query) if record][::-1]
