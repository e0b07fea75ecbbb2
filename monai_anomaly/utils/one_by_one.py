# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Work that goes on beside the caller's, in the caller's order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

__all__ = ["OneByOne"]


class OneByOne:
    """Does pieces of work in a thread, one after the other, while the caller goes on with its own.

    After a piece that raised, none is begun, and the caller gets the error with the next call: what is done is always a
    beginning of what was asked for. There is no thread before the first piece, nor after :meth:`settle`.

    Args:
        behind: pieces that may wait, or be worked on, before the caller waits; it bounds the memory that they hold.

    Raises:
        ValueError: when `behind` is less than 1.

    Example:
        >>> written = []
        >>> writer = OneByOne(behind=2)
        >>> for number in range(5):
        ...     writer.do(written.append, number)
        >>> writer.settle()
        >>> written
        [0, 1, 2, 3, 4]
    """

    def __init__(self, behind: int = 2) -> None:
        if behind < 1:
            raise ValueError(f"behind must be at least 1, got {behind}.")
        self._behind = behind
        self._waiting: deque[Future[None]] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._failed = False

    def do(self, work: Callable[..., Any], *args: Any) -> None:
        """Have a piece of work done next.

        Raises:
            Exception: what an earlier piece raised.
        """
        while len(self._waiting) >= self._behind:
            self._waiting.popleft().result()
        if self._pool is None:
            self._pool, self._failed = ThreadPoolExecutor(1), False
        self._waiting.append(self._pool.submit(self._run, work, *args))

    def settle(self) -> None:
        """Wait until all is done, and end the thread.

        Raises:
            Exception: what a piece raised, if the caller did not get it before.
        """
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()
        waiting, self._waiting = self._waiting, deque()
        for piece in waiting:
            piece.result()

    def _run(self, work: Callable[..., Any], *args: Any) -> None:
        if self._failed:
            return
        try:
            work(*args)
        except BaseException:
            self._failed = True
            raise
