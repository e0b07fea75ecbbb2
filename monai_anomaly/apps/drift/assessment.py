# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether the records of a period are like those of a reference, with one stated rate of false alarms for all of it.

Without drift a period alarms at most as often as it is told: each of the three families of checks (the whole period,
its windows, its devices) gets a third of the rate, and each check of a family the same part of that (Bonferroni). The
checks are exact whatever the numbers are, and one image of each patient counts, since images of a patient are alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from monai_anomaly.apps.drift.checks import Check, compare_rates, compare_values, uniform_distance
from monai_anomaly.apps.drift.record_columns import NAMES, NEW_DEVICES, RATES, VALUES, Columns
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["LEAST", "Assessment", "Outcome", "assess"]

LEAST = 20
"""Patients that a period, a reference, and each device in both must have to be compared."""

FAMILIES = 3


@dataclass(frozen=True)
class Outcome:
    """A check, where it was made and whether it alarms.

    Args:
        statistic: what was compared.
        check: the numbers.
        level: p-value up to which it alarms.
        first: number of the first patient of the window, from 1; of the period where it is the whole.
        last: of the last one.
        device: keyed hash of the device; empty for all.
    """

    statistic: str
    check: Check
    level: float
    first: int
    last: int
    device: str = ""

    @property
    def alarms(self) -> bool:
        """Whether there is drift."""
        return self.check.p <= self.level


@dataclass(frozen=True)
class Assessment:
    """All checks of a period.

    Args:
        period: what was compared, one record of each patient.
        reference: what it was compared with, the same.
        false_alarms: how often a period without drift alarms, at most.
        whole: checks of the whole period, by statistic.
        windows: checks of each window, by statistic, in order.
        devices: checks of each device.
        uniform: Kolmogorov-Smirnov distance of the p-values from the uniform distribution, of period and reference.
    """

    period: Columns
    reference: Columns
    false_alarms: float
    whole: dict[str, Outcome]
    windows: dict[str, list[Outcome]]
    devices: list[Outcome]
    uniform: tuple[float, float] = field(default=(float("nan"), float("nan")))

    @property
    def outcomes(self) -> Iterator[Outcome]:
        """Every check."""
        yield from self.whole.values()
        for windows in self.windows.values():
            yield from windows
        yield from self.devices

    @property
    def not_compared(self) -> list[str]:
        """Statistics that period or reference do not know; the score says no more than the p-values."""
        return [name for name in NAMES if name not in self.whole and not (name == "score" and "p_value" in self.whole)]

    @property
    def alarms(self) -> list[Outcome]:
        """The checks that alarm."""
        return [outcome for outcome in self.outcomes if outcome.alarms]


def assess(period: Columns, reference: Columns, *, window: int, false_alarms: float) -> Assessment:
    """Compare a period with a reference.

    Args:
        period: its records in the order of time.
        reference: records of the calibration, or of a period that was found good.
        window: patients in a window; a last one with less than half belongs to the one before.
        false_alarms: how often a period without drift may alarm, in (0, 1).

    Raises:
        ConfigError: when there are too few patients.
    """
    period, reference = period.first_of_patients, reference.first_of_patients
    for name, columns in (("period", period), ("reference", reference)):
        if len(columns) < LEAST:
            raise ConfigError(
                f"the {name} has {len(columns)} patients; at least {LEAST} are needed: give more records."
            )
    share = false_alarms / FAMILIES
    names = _comparable(period, reference)
    spans = _windows(len(period), window)
    level = share / len(names)
    whole = {name: Outcome(name, _compare(name, period, reference), level, 1, len(period)) for name in names}
    level = share / (len(names) * len(spans))
    windows = {
        name: [
            Outcome(name, _compare(name, period.take(slice(first, last)), reference), level, first + 1, last)
            for first, last in spans
        ]
        for name in names
    }
    uniform = uniform_distance(period.known("p_value")), uniform_distance(reference.known("p_value"))
    return Assessment(
        period, reference, false_alarms, whole, windows, _check_devices(period, reference, names, share), uniform
    )


def _comparable(period: Columns, reference: Columns) -> list[str]:
    """Return the statistics that both know; the score only where there are no p-values, which are the same ranks."""
    names = [name for name in (*RATES, *VALUES) if len(period.known(name)) and len(reference.known(name))]
    if "p_value" in names:
        names.remove("score")
    if (period.devices != "").any() and (reference.devices != "").any():
        names.append(NEW_DEVICES)
    return names


def _compare(name: str, period: Columns, reference: Columns) -> Check:
    if name == NEW_DEVICES:
        return _compare_devices(period, reference)
    compare = compare_rates if name in RATES else compare_values
    return compare(period.known(name), reference.known(name))


def _compare_devices(period: Columns, reference: Columns) -> Check:
    """Compare the share of images of devices that the reference does not know.

    Of its own images, those whose device has no other image are such: that is how often a new device is met without any
    drift (Good and Turing).
    """
    known, counts = np.unique(reference.devices[reference.devices != ""], return_counts=True)
    seen = period.devices[period.devices != ""]
    singles = np.repeat(counts == 1, counts).astype(np.float64)
    return compare_rates(np.isin(seen, known, invert=True).astype(np.float64), singles)


def _check_devices(period: Columns, reference: Columns, names: list[str], share: float) -> list[Outcome]:
    devices = [
        device
        for device in np.unique(period.devices[period.devices != ""]).tolist()
        if min((period.devices == device).sum(), (reference.devices == device).sum()) >= LEAST
    ]
    used = [name for name in names if name != NEW_DEVICES]
    if not devices:
        return []
    level = share / (len(devices) * len(used))
    parts = [(each, period.take(period.devices == each), reference.take(reference.devices == each)) for each in devices]
    return [
        Outcome(name, _compare(name, mine, before), level, 1, len(period), device)
        for device, mine, before in parts
        for name in used
    ]


def _windows(n: int, size: int) -> list[tuple[int, int]]:
    """Return first and last of each window, half open."""
    starts = list(range(0, n, size))
    if len(starts) > 1 and n - starts[-1] < (size + 1) // 2:
        starts.pop()
    return list(zip(starts, [*starts[1:], n], strict=True))
