# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What an audit log says of a result, on the disk before the result is given out."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import Any

from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.utils.audit.audit_log import AuditLog
from monai_anomaly.utils.environment import package_versions

__all__ = ["AuditTrail"]

KEPT = (
    *("image", "input_digest", "status", "code", "score", "p_value", "decision", "threshold", "false_alarm_rate"),
    "frame",
)
"""Keys of a record that go to the log: no sentence, which could hold more than it should, and no path."""


class AuditTrail:
    """Writes the results of one detector to an audit log.

    Args:
        path: the log; see :class:`monai_anomaly.utils.audit.audit_log.AuditLog`.
        operator: who runs the program.
        weights: SHA-256 of the checkpoint's file.
        configuration: SHA-256 of what else decides.

    Raises:
        AuditError: for an operator without a name.
        ConfigError: without a site's key.
    """

    def __init__(self, path: str | os.PathLike[str], operator: str | None, *, weights: str, configuration: str) -> None:
        self.log = AuditLog(path, operator)
        versions = {**package_versions(("monai_anomaly", "torch", "monai")), "python": platform.python_version()}
        self._fixed = {"weights": weights, "configuration": configuration, "versions": versions}

    def add(self, record: Mapping[str, Any], calibration: Calibration | None) -> None:
        """Write a result; it is on the disk when this returns.

        Args:
            record: as :meth:`monai_anomaly.scoring.result.Result.record` gives it.
            calibration: that decided; None where none did.

        Raises:
            AuditError: when it cannot be written: the result must not be given out.
        """
        kept = {name: record.get(name) for name in KEPT}
        digest = None if calibration is None else calibration.digest
        self.log.append("result", **kept, calibration=digest, **self._fixed)
