# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a piece of work takes, on the clock and of processor time."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import torch

__all__ = ["Span", "Stopwatch"]


@dataclass(frozen=True)
class Span:
    """What a piece of work took.

    Args:
        wall: seconds on the clock; what a user waits, and what other processes on the machine disturb.
        cpu: seconds of processor time of this process, its threads and its finished children.
    """

    wall: float
    cpu: float


class Stopwatch:
    """Runs from its making on; waits for the accelerator's queue at either end.

    Args:
        device: where the timed work is done.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._start = self._now()

    def read(self) -> Span:
        """Return the time since the start."""
        now = self._now()
        return Span(now.wall - self._start.wall, now.cpu - self._start.cpu)

    def _now(self) -> Span:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return Span(time.perf_counter(), sum(os.times()[:4]))
