# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How long to wait after a failure."""

from __future__ import annotations

import random

__all__ = ["pause_after"]

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 900.0


def pause_after(attempts: int) -> float:
    """Return the pause before the next attempt, in seconds.

    It doubles from 1 s to 15 minutes. A quarter of it is random, so that many senders do not return at the same moment.

    Args:
        attempts: how many failed so far, from 1.
    """
    doublings = min(max(attempts, 1) - 1, 10)  # 2^10 s is longer than the longest
    pause = min(FIRST_SECONDS * 2**doublings, LONGEST_SECONDS)
    return pause * random.uniform(0.75, 1.0)
