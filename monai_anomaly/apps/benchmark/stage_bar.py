# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a cell of a benchmark is doing, for the person who waits."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from tqdm import tqdm

__all__ = ["StageBar"]


class StageBar:
    """Shows a stage of a cell while it runs: on a terminal a bar, which goes when the stage ends, else one line.

    Args:
        title: the cell and the stage, such as ``[2/5] busi: sepiad, seed 0: training``.
        seconds: the stage's budget, None where it has none.
    """

    def __init__(self, title: str, seconds: float | None = None) -> None:
        self._title = title
        self._seconds = seconds
        self._bar: tqdm | None = None

    def __enter__(self) -> StageBar:
        self._start = time.monotonic()
        if sys.stderr.isatty():
            form = "{desc}" if self._seconds is None else "{desc} {percentage:3.0f}%|{bar}|"
            self._bar = tqdm(total=self._seconds, bar_format=form, leave=False, dynamic_ncols=True)
            self.look()
        else:
            budget = "" if self._seconds is None else f", {self._seconds:.0f} s and some for start"
            print(f"{self._title}{budget}", file=sys.stderr, flush=True)
        return self

    def look(self) -> None:
        """Show the seconds that have passed. A start takes some that are not of the budget, so they may be more."""
        if self._bar is None:
            return
        passed = time.monotonic() - self._start
        of = "" if self._seconds is None else f" of {self._seconds:.0f}"
        self._bar.n = passed if self._seconds is None else min(passed, self._seconds)
        self._bar.set_description_str(f"{self._title}, {passed:.0f}{of} s")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
