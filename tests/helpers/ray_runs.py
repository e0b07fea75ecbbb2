# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Runs of ``predict --engine ray`` in a process of their own, whose workers can be found and ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.helpers.processes import FreshProcess, run_module

__all__ = ["LIMIT", "await_that", "predict", "rows_of"]

LIMIT = 240
"""Seconds: Ray's start alone takes a minute where the machine has much else to do."""


def predict(*words: object) -> FreshProcess:
    """Start the command; the caller waits for it."""
    return FreshProcess(run_module, "monai_anomaly", "predict", *map(str, words))


def rows_of(out: Path) -> list[dict[str, Any]]:
    """Return all records of an archive, in the order of its files."""
    return sorted(pq.read_table(out / "records").to_pylist(), key=lambda row: row["index"])


def await_that(holds: Callable[[], Any]) -> Any:
    """Return what a question is answered with, once that is something."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        answer = holds()
        if answer:
            return answer
        time.sleep(0.05)
    raise TimeoutError("it did not come to pass.")
