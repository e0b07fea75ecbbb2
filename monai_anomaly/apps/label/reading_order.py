# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""In which order a reader sees the images that have no verdict yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["ORDERS", "most_anomalous", "nearest_threshold"]

Records = Mapping[str, Mapping[str, Any]]


def most_anomalous(images: Iterable[str], records: Records) -> list[str]:
    """Return the images by falling score.

    Equal scores are in the order of the images' names; after them come images without a score yet, and then those that
    were refused, by name, too.

    Args:
        images: names.
        records: what is known of them.
    """
    return _ordered(images, records, lambda record: -record["score"])


def nearest_threshold(images: Iterable[str], records: Records) -> list[str]:
    """Return the images by their distance from the threshold, the nearest first: a verdict on them tells most.

    An uncalibrated score has no threshold, and comes with those that have no score; else as :func:`most_anomalous`.

    Args:
        images: names.
        records: what is known of them.
    """
    return _ordered(
        images,
        records,
        lambda record: None if record["threshold"] is None else abs(record["score"] - record["threshold"]),
    )


def _ordered(images: Iterable[str], records: Records, height: Callable[[Mapping[str, Any]], float | None]) -> list[str]:
    def key(image: str) -> tuple[int, float, str]:
        record = records.get(image)
        if record is None or record["status"] == "failed":
            return 1, 0.0, image
        if record["score"] is None:
            return 2, 0.0, image
        value = height(record)
        return (1, 0.0, image) if value is None else (0, value, image)

    return sorted(images, key=key)


ORDERS: dict[str, Callable[[Iterable[str], Records], list[str]]] = {
    "most_anomalous": most_anomalous,
    "nearest_threshold": nearest_threshold,
}
"""By the name of the strategy."""
