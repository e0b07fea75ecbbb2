# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What ``torchrun`` tells the processes that it starts, and starts again when one of them has failed."""

from __future__ import annotations

import os

__all__ = ["launch_id", "was_restarted"]


def launch_id() -> str:
    """Return the word that ``torchrun`` has for this launch and its restarts; empty without ``torchrun``."""
    return os.environ.get("TORCHELASTIC_RUN_ID", "")


def was_restarted() -> bool:
    """Return whether the processes of this launch may have run before.

    ``torchrun`` counts restarts for each machine alone, so a count of 0 says something only where its word for the
    launch does not: without a rendezvous, where that is the same for all.
    """
    return launch_id() not in ("", "none") or os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"
