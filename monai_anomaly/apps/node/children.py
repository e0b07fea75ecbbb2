# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Processes that are started again when they die."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from monai_anomaly.apps.node.database.heartbeats import STEADY_SECONDS
from monai_anomaly.apps.node.delivery.pauses import pause_after
from monai_anomaly.apps.node.stopping import END_SECONDS

__all__ = ["Children", "Death"]

LONGEST_PAUSE = 60.0  # a database that was away for long must not cost long afterwards

logger = logging.getLogger("monai_anomaly.node")


@dataclass(frozen=True)
class Death:
    """A process that ended by itself.

    Args:
        name: of the child.
        process: its number.
        number: how often in a row the child died young, this time included.
    """

    name: str
    process: int
    number: int


@dataclass
class _Child:
    context: Any
    target: Callable[..., None]
    arguments: tuple[Any, ...]
    process: BaseProcess
    pipe: Connection  # closing it asks for the end; the system does it where this process is killed
    started: float
    deaths: int = 0
    again_at: float | None = None


class Children:
    """Starts processes again when they die, after pauses that grow while they die young.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._children: dict[str, _Child] = {}

    def add(self, name: str, context: Any, target: Callable[..., None], *arguments: Any) -> None:
        """Start a child.

        Args:
            name: of it.
            context: of ``multiprocessing``, that starts its processes.
            target: is called with the name, the arguments and a pipe, whose other end is closed when it is to end.
            arguments: for it.
        """
        process, pipe = _start(name, context, target, arguments)
        self._children[name] = _Child(context, target, arguments, process, pipe, self._clock())

    def look(self) -> list[Death]:
        """Start again what has died; return who was not known to be dead."""
        at, deaths = self._clock(), []
        for name, child in self._children.items():
            if child.process.is_alive():
                continue
            if child.again_at is None:
                child.deaths = child.deaths + 1 if at - child.started < STEADY_SECONDS else 1
                child.again_at = at + min(pause_after(child.deaths), LONGEST_PAUSE)
                logger.error("%s ended with code %s and is started again", name, child.process.exitcode)
                deaths.append(Death(name, child.process.pid or 0, child.deaths))
            elif at >= child.again_at:
                child.pipe.close()
                child.process, child.pipe = _start(name, child.context, child.target, child.arguments)
                child.started, child.again_at = self._clock(), None
        return deaths

    def end(self, seconds: float = END_SECONDS) -> None:
        """Ask all to end, wait so long for all of them together, and kill what is still there."""
        for child in self._children.values():
            child.pipe.close()
        until = time.monotonic() + seconds
        for child in self._children.values():
            child.process.join(max(0.0, until - time.monotonic()))
        late = {name: child.process for name, child in self._children.items() if child.process.is_alive()}
        for name, process in late.items():
            logger.warning("%s did not end in time and is killed", name)
            process.kill()
        for process in late.values():
            process.join()
        self._children.clear()


def _start(
    name: str, context: Any, target: Callable[..., None], arguments: tuple[Any, ...]
) -> tuple[BaseProcess, Connection]:
    reading, writing = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(name, *arguments, reading), name=name)
    process.start()
    reading.close()
    return process, writing
