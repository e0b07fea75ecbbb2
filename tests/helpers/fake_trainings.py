# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Trainings that only say how long they took."""

from __future__ import annotations

__all__ = ["FakeTraining"]


class FakeTraining:
    """Stands in for :class:`measurements.requested_training.RequestedTraining`.

    Args:
        taken: seconds that each request takes.
    """

    def __init__(self, taken: float) -> None:
        self.taken = taken

    def __enter__(self) -> FakeTraining:
        """Start nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """End nothing."""

    def seconds(self) -> float:
        """Return what a request takes."""
        return self.taken
