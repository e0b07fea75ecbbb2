# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How a run gets its audit log."""

from __future__ import annotations

import hashlib
import os

from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.scoring.audit_trail import AuditTrail
from monai_anomaly.utils.audit.lines import canonical

__all__ = ["open_audit"]


def open_audit(
    path: str | os.PathLike[str] | None,
    operator: str | None,
    trained: TrainedDetector,
    *,
    frames: str,
    aggregate: str,
    false_alarm_rate: float,
    guard: bool,
) -> AuditTrail | None:
    """Return what writes the results of a detector to an audit log; None where no log is wanted.

    Args:
        path: the log; None for none.
        operator: who runs the program.
        trained: the detector.
        frames: the frame rule in use.
        aggregate: the aggregation in use.
        false_alarm_rate: of the decisions.
        guard: whether the input guard is asked.

    Raises:
        AuditError: for an operator without a name.
        ConfigError: without a site's key.
    """
    if path is None:
        return None
    decides = {
        "spec": trained.spec_hash,
        "frames": frames,
        "aggregate": aggregate,
        "false_alarm_rate": false_alarm_rate,
        "guard": guard and trained.guard is not None,
    }
    configuration = hashlib.sha256(canonical(decides)).hexdigest()
    return AuditTrail(
        path, None if operator is None else str(operator), weights=trained.model_hash, configuration=configuration
    )
