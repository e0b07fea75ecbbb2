# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which detector, with which calibration, made a result."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from pydicom.uid import generate_uid

from monai_anomaly.utils.uid_root import check_uid_root

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
        uid_root: the site's own root for UIDs; empty for UUIDs below ``2.25``, which need none (DICOM PS3.5, B.2).

    Raises:
        ConfigError: for a root that is none.
    """

    name: str
    version: str
    weights: str
    calibration: str | None
    map_range: tuple[float, float]
    threshold_origin: str = ""
    date: str = ""
    uid_root: str = ""

    def __post_init__(self) -> None:
        """Refuse a root that is none."""
        check_uid_root(self.uid_root)

    def uid(self, *parts: str) -> str:
        """Return a UID that follows from this detector and the parts, and from nothing else.

        It is a name-based UUID below ``2.25``, or, below a root of the site's own, digits of a SHA-512.

        Args:
            parts: what it is of, e.g. the source's UID and a kind.
        """
        name = self._uuid(*parts)
        if self.uid_root:
            return str(generate_uid(prefix=f"{self.uid_root}.", entropy_srcs=[str(name)]))
        return f"2.25.{name.int}"

    def series_number(self, kind: str) -> int:
        """Return a number of five digits, of the detector and the kind alone: no scanner counts that far."""
        return 10_000 + self._uuid("series number", kind).int % 90_000

    def _uuid(self, *parts: str) -> uuid.UUID:
        return uuid.uuid5(_NAMESPACE, "\n".join((self.weights, self.calibration or "", *parts)))
