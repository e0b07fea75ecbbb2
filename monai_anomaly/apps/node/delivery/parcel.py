# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What is delivered, and what a receiver said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Outcome", "Parcel"]


@dataclass(frozen=True)
class Parcel:
    """An object on its way to one destination."""

    id: int
    path: Path  # a Part 10 file
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True)
class Outcome:
    """What a receiver said; the code has nothing of the object in it."""

    accepted: bool
    code: str  # "0x0000", "no_connection", ...
