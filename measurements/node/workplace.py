# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What every measurement of the node works with, and that all of it ends with the measurement."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from measurements.node.servers.orthanc import Orthanc
from measurements.node.servers.postgres import Postgres

__all__ = ["Workplace", "workplace"]


@dataclass(frozen=True)
class Workplace:
    """What a measurement is given.

    Args:
        folder: to work in; it is removed afterwards.
        pacs: runs.
        new_database: makes an empty database in PostgreSQL and returns its URL; None leaves SQLite.
    """

    folder: Path
    pacs: Orthanc
    new_database: Callable[[], str] | None


@contextmanager
def workplace(folder: str | None = None, *, postgres: bool = False) -> Iterator[Workplace]:
    """Give a folder and servers that end with the ``with``; SIGTERM ends the ``with``, too.

    Args:
        folder: where to make the folder; None takes the system's place for such.
        postgres: start a PostgreSQL that syncs what it writes.

    Raises:
        RuntimeError: when a server is not installed or does not start.
    """
    before = signal.signal(signal.SIGTERM, _end)
    try:
        with ExitStack() as stack:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix="node-")))
            pacs = stack.enter_context(Orthanc())
            database = stack.enter_context(Postgres(durable=True)).new_database if postgres else None
            yield Workplace(work, pacs, database)
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)
