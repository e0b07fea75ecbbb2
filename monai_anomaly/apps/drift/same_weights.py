# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whose records are compared: scores of two detectors differ without any drift."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from monai_anomaly.apps.drift.record_columns import file_of
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["same_weights"]

_BESIDE = {"records.jsonl": ("run.json", "weights"), "calibration_records.jsonl": ("calibration.json", "model_hash")}
"""For each kind of records the file that is written with them, and its key for the SHA-256 of the weights."""


def same_weights(period: Iterable[Path], reference: Path) -> str | None:
    """Return the SHA-256 of the weights that made records, where the files beside them say it.

    Args:
        period: files or folders of records.
        reference: the file or folder they are compared with.

    Returns:
        None where nothing says it.

    Raises:
        ConfigError: when the records are of different weights.
    """
    of = {path: digest for path in (*period, reference) if (digest := _weights(file_of(path)))}
    if len(set(of.values())) > 1:
        told = "; ".join(f"'{path}' is of the weights {digest[:16]}" for path, digest in of.items())
        raise ConfigError(f"records of different detectors cannot be compared: {told}. Name a reference of the same.")
    return next(iter(of.values()), None)


def _weights(records: Path) -> str:
    """Return what is known of the weights; empty where the file is not there, or no longer beside its records."""
    name, key = _BESIDE.get(records.name, ("", ""))
    try:
        value = json.loads(records.with_name(name).read_text(encoding="utf-8"))[key] if name else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return value if isinstance(value, str) else ""
