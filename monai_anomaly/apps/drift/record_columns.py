# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Records of an inference or a calibration as columns of numbers, for statistics over a period."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["NAMES", "NEW_DEVICES", "RATES", "VALUES", "Columns", "file_of", "make_columns", "read_records", "used_rate"]

Floats = npt.NDArray[np.float64]

RATES = {"alarms": "Called anomalous", "refusals": "Refused by the input guard", "failures": "Rejected or failed"}
"""Statistics that are yes or no for an image, with their names on a page."""

VALUES = {
    "p_value": "p-value",
    "score": "Score",
    "gray_mean": "Brightness (mean)",
    "gray_std": "Contrast (deviation)",
    "gray_zero": "Share of black pixels",
    "gray_step": "Detail (step to the next pixel)",
    "rows": "Rows",
    "columns": "Columns",
}
"""Statistics that are a number for an image."""

NEW_DEVICES = "new_devices"
"""The share of images of devices that the reference does not know."""

NAMES = {**RATES, **VALUES, NEW_DEVICES: "Of devices that are new"}
"""What a page calls a statistic."""

_FACTS = ("gray_mean", "gray_std", "gray_zero", "gray_step", "rows", "columns")


@dataclass(frozen=True)
class Columns:
    """N records.

    Args:
        numbers: by statistic, float64 ``(N,)``; NaN where it is not known of an image.
        devices: keyed hash of each device, empty where it is not known.
        patients: what stands for the patient of each; a record without one is a patient of its own.
    """

    numbers: Mapping[str, Floats]
    devices: npt.NDArray[np.str_]
    patients: npt.NDArray[np.str_]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.patients)

    def take(self, which: Any) -> Columns:
        """Return some of the records, by indices or a mask."""
        numbers = {name: values[which] for name, values in self.numbers.items()}
        return Columns(numbers, self.devices[which], self.patients[which])

    def known(self, name: str) -> Floats:
        """Return the values of a statistic where it is known."""
        values = self.numbers[name]
        return values[np.isfinite(values)]

    @property
    def first_of_patients(self) -> Columns:
        """The first record of each patient, in order: images of one patient are alike, and tests take them for not."""
        return self.take(np.sort(np.unique(self.patients, return_index=True)[1]))


def read_records(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the records of files and folders, in the order given.

    Args:
        paths: a ``records.jsonl``, a ``calibration_records.jsonl``, or a folder with the first, else the second.

    Raises:
        ConfigError: when one is missing or is none, or there are no records.
    """
    records = [record for path in paths for record in _read_file(file_of(path))]
    if not records:
        raise ConfigError("there are no records; name the records.jsonl of an inference.")
    return records


def used_rate(records: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the false-alarm rate of the decisions; None where there are none.

    Raises:
        ConfigError: when there are several thresholds: several calibrations, detectors or rates.
    """
    rates = {(r["threshold"], r["false_alarm_rate"]) for r in records if r.get("threshold") is not None}
    if len(rates) > 1:
        raise ConfigError(
            f"the records have {len(rates)} thresholds: they are of several detectors, calibrations or rates; compare "
            "one at a time."
        )
    return next((float(rate) for _, rate in rates), None)


def make_columns(records: Sequence[Mapping[str, Any]], rate: float | None) -> Columns:
    """Return records as columns.

    Args:
        records: as :func:`read_records` returns them.
        rate: an image with this p-value or a lower one is an alarm; None takes the decisions.

    Raises:
        ConfigError: for a record with values that make no sense.
    """
    rows = [_row(record, rate) for record in records]
    names = [*RATES, *VALUES]
    numbers = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in names}
    devices = np.array([str(record.get("device") or "") for record in records])
    patients = np.array([str(record.get("patient") or f"record {i}") for i, record in enumerate(records)])
    return Columns(numbers, devices, patients)


def _row(record: Mapping[str, Any], rate: float | None) -> dict[str, float]:
    scored = record["status"] == "scored"
    refused = record["decision"] == "not_applicable"
    row = {name: math.nan for name in (*RATES, *VALUES)}
    row["failures"] = float(not scored)
    facts = record.get("facts") or {}
    row |= {name: _number(facts.get(name)) for name in _FACTS}
    if scored:
        row["refusals"] = float(refused)
    if scored and not refused:
        row["p_value"], row["score"] = _number(record["p_value"]), _number(record["score"])
        if rate is not None and math.isfinite(row["p_value"]):
            row["alarms"] = float(row["p_value"] <= rate)
    return row


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ConfigError("a record has a text or no finite number where a number belongs; infer again.")
    return float(value)


def file_of(path: Path) -> Path:
    place = path.expanduser()
    if place.is_dir():
        names = ("records.jsonl", "calibration_records.jsonl")
        place = next((place / name for name in names if (place / name).is_file()), place / names[0])
    if not place.is_file():
        raise ConfigError(f"there are no records '{place}'; name the records.jsonl of an inference.")
    return place


def _read_file(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                for key in ("status", "decision", "score", "p_value"):
                    record[key]
                yield record
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(f"'{file}' is not what an inference or a calibration of this version writes.") from None
