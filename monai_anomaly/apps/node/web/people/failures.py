# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A limit on failed logins."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

__all__ = ["Failures"]

_MOST_ADDRESSES = 10_000


class Failures:
    """Counts failed logins by address; in bounded memory, from several threads.

    Args:
        most: within `seconds`, after which an address has to wait.
        seconds: how long a failure counts.
        clock: seconds that never go back.
    """

    def __init__(self, most: int = 5, seconds: float = 300.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._lock = threading.Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Return for how many seconds an address has to wait; 0 for not at all."""
        with self._lock:
            times = self._times.get(address)
            if times is None or len(times) < self._most:
                return 0.0
            return max(0.0, times[0] + self._seconds - self._clock())

    def add(self, address: str) -> None:
        """Count one."""
        with self._lock:
            times = self._times.setdefault(address, deque(maxlen=self._most))
            times.append(self._clock())
            self._times.move_to_end(address)
            while len(self._times) > _MOST_ADDRESSES:
                self._times.popitem(last=False)

    def forget(self, address: str) -> None:
        """Forget an address that logged in."""
        with self._lock:
            self._times.pop(address, None)
