# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Errors that a user can act on. Each message names the thing that is wrong and what cures it."""

from __future__ import annotations

__all__ = [
    "AuditError",
    "CacheError",
    "CalibrationError",
    "CheckpointError",
    "ConfigError",
    "TrainingError",
    "WeightsError",
]


class ConfigError(ValueError):
    """A configuration key or value that makes no sense."""


class AuditError(RuntimeError):
    """An audit log that cannot be written, continued or read."""


class CacheError(RuntimeError):
    """A cache of decoded images that cannot be made or used."""


class CalibrationError(ValueError):
    """A calibration that cannot be made, read or used."""


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged, or made for something else."""


class TrainingError(RuntimeError):
    """A training that cannot go on."""


class WeightsError(RuntimeError):
    """Pretrained weights that cannot be had or do not fit."""
