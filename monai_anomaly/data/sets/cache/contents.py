# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What is known of the images of a data set once each has been decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Contents", "Refused"]


@dataclass(frozen=True)
class Refused:
    """An item that cannot be read.

    Args:
        position: its place in the data.
        code: as of :class:`~monai_anomaly.data.errors.ImageReadError`.
        message: as there.
    """

    position: int
    code: str
    message: str


@dataclass
class Contents:
    """All but the pictures; plain values, with an entry for each image that can be read, in order.

    Args:
        shape: ``(C, H, W)`` of every picture.
        positions: the image's place in the data.
        facts: what decoding said that the data did not: numbers and texts.
        origins: what is known of its file and device.
        limits: of its intensity; see :class:`~monai_anomaly.data.sets.cache.kept_images.Intensity`.
        hashes: :func:`~monai_anomaly.data.sets.duplicates.pixel_hash` of the normalized image.
        refused: the items that cannot be read.
    """

    shape: tuple[int, int, int] = (0, 0, 0)
    positions: list[int] = field(default_factory=list)
    facts: list[Mapping[str, Any]] = field(default_factory=list)
    origins: list[Mapping[str, Any]] = field(default_factory=list)
    limits: list[tuple[float, float]] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.positions)
