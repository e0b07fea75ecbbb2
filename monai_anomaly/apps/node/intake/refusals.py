# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Refusals are counted in memory and entered from time to time: an attack costs no transaction for each try."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable

__all__ = ["CountedRefusals"]

logger = logging.getLogger("monai_anomaly.node")


class CountedRefusals:
    """Count what was refused at the door; may be called from many threads, and never waits for the database.

    Args:
        enter: adds a number to what was refused of an origin with a code; see :meth:`.Custody.refuse`.
    """

    def __init__(self, enter: Callable[[str, str, int], None]) -> None:
        self._enter = enter
        self._lock = threading.Lock()
        self._counted: Counter[tuple[str, str]] = Counter()

    def __call__(self, origin: str, code: str) -> None:
        """Count one."""
        with self._lock:
            self._counted[origin, code] += 1

    def enter(self) -> None:
        """Enter what was counted; what cannot be entered is kept for the next time."""
        with self._lock:
            counted, self._counted = self._counted, Counter()
        for (origin, code), number in counted.items():
            try:
                self._enter(origin, code, number)
            except Exception as error:  # of the database; the receiver must go on
                logger.error("receiver: refusals are not entered yet (%s)", type(error).__name__)
                with self._lock:
                    self._counted[origin, code] += number
