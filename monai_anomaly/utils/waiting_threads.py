# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How long PyTorch's threads that wait for each other keep their cores busy."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

__all__ = ["SPINS", "shorten_spinning"]

SPINS = 3000
"""Looks at a lock, some 0.1 ms. GCC's OpenMP, which PyTorch's wheels for Linux use, waits 300,000 before it sleeps: a
thread whose partner is not running, as another process has its core, then burns the time that the partner needs. With
fewer than about 2,000 an idle machine is slower, as threads sleep between two operations; ``python -m
measurements.busy_machine`` measures both."""
_CHOICES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def shorten_spinning(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let waiting threads sleep after a moment, in this process and those that it starts.

    What the user has set stays. It must be called before PyTorch is imported, as OpenMP reads the environment once.

    Args:
        environment: variables of the environment.
    """
    if not any(name in environment for name in _CHOICES):
        environment["GOMP_SPINCOUNT"] = str(SPINS)
