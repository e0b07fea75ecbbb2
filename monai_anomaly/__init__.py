# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Anomaly detection for MONAI: learn from normal images, score new ones."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monai_anomaly.bundle.anomaly_detector import AnomalyDetector as AnomalyDetector
    from monai_anomaly.bundle.loading import load as load
    from monai_anomaly.scoring.result import Result as Result

__version__ = "0.1.0"

__all__ = ["__version__"]

_DOOR = {
    "AnomalyDetector": "monai_anomaly.bundle.anomaly_detector",
    "Result": "monai_anomaly.scoring.result",
    "load": "monai_anomaly.bundle.loading",
}
"""What a program takes from here, imported when it is asked for: PyTorch and MONAI take seconds."""


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name not in _DOOR:
        raise AttributeError(f"module 'monai_anomaly' has no attribute '{name}'")
    return getattr(import_module(_DOOR[name]), name)


def __dir__() -> list[str]:
    """Return the names of the module, what is not yet imported included."""
    return sorted({*globals(), *_DOOR})
