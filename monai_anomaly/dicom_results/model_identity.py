# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which detector, with which calibration, made a result."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

__all__ = ["ModelIdentity"]

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "monai_anomaly")


@dataclass(frozen=True)
class ModelIdentity:
    """Says in every DICOM object which detector made it.

    Args:
        name: of the method, e.g. ``"SEPIAD"``.
        version: of this package.
        weights: SHA-256 of the checkpoint's file.
        calibration: SHA-256 of the calibration's content; None without one.
        map_range: the map values of the first and the last color.
        threshold_origin: where threshold and false-alarm rate come from, one phrase; empty without a calibration.
        date: of the calibration, ``YYYYMMDD``; empty for none. It dates the objects of a source without a date.
    """

    name: str
    version: str
    weights: str
    calibration: str | None
    map_range: tuple[float, float]
    threshold_origin: str = ""
    date: str = ""

    def uid(self, *parts: str) -> str:
        """Return a UID that follows from this detector and the parts, and from nothing else.

        It is a name-based UUID below ``2.25``, which needs no registered root (DICOM PS3.5, B.2).

        Args:
            parts: what it is of, e.g. the source's UID and a kind.
        """
        return f"2.25.{self._uuid(*parts).int}"

    def series_number(self, kind: str) -> int:
        """Return a number of five digits, of the detector and the kind alone: no scanner counts that far."""
        return 10_000 + self._uuid("series number", kind).int % 90_000

    def _uuid(self, *parts: str) -> uuid.UUID:
        return uuid.uuid5(_NAMESPACE, "\n".join((self.weights, self.calibration or "", *parts)))
