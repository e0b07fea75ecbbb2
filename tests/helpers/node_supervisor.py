# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A node whose parts are stand-ins, as a process: ``python -m tests.helpers.node_supervisor FOLDER``.

The worker takes a job and hangs, the sender ends at once, the receiver waits for its end as it should.
"""

from __future__ import annotations

import gc
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from monai_anomaly.apps.node import pulse, supervisor
from monai_anomaly.apps.node.configuration.sections import DetectorSettings, NodeSettings, WatchSettings
from monai_anomaly.apps.node.database.queue import next_jobs
from monai_anomaly.apps.node.opening import open_database, owner_name
from monai_anomaly.apps.node.stopping import Stopping
from tests.apps.node.database.rows import add_detector

RUN = supervisor._run


def node_settings(folder: Path) -> NodeSettings:
    """Return the settings of the stand-in's node."""
    return NodeSettings(
        folder=folder,
        detector=DetectorSettings(checkpoint=folder / "model.pt"),
        watch=WatchSettings(folder=folder / "in"),
    )


def _find_detector(there: Connection, settings: NodeSettings) -> None:
    there.send(add_detector(open_database(settings)))


def _receive(settings: NodeSettings, detector: int, stopping: Stopping) -> None:
    while not stopping.wait(0.1):
        pass


def _work(settings: NodeSettings, stopping: Stopping) -> None:
    database, taken = open_database(settings), []
    while not taken:
        time.sleep(0.05)
        with database.begin() as session:
            taken = next_jobs(session, 1, owner_name(), lease_seconds=60, most_attempts=99)
    time.sleep(600)


def _send(settings: NodeSettings, stopping: Stopping) -> None:
    sys.exit(3)


def _run_alone(name: str, arguments: tuple[Any, ...], pipe: Connection) -> None:
    """Close what a fork has copied of the supervisor's pipes, as an interpreter that was started has none of them."""
    for each in gc.get_objects():
        if isinstance(each, Connection) and each is not pipe and not each.closed:
            each.close()
    RUN(name, arguments, pipe)


class _Forking:
    """In place of a context that starts interpreters: its processes know the stand-ins."""

    def __getattr__(self, name: str) -> Any:
        return getattr(multiprocessing.context.ForkContext(), name)

    def set_forkserver_preload(self, names: list[str]) -> None:
        """Import nothing."""


if __name__ == "__main__":
    parts = {"receiver": _receive, "worker 0": _work, "sender": _send}
    multiprocessing.get_context = lambda method=None: _Forking()  # type: ignore[assignment]
    supervisor._find_detector, supervisor._part, supervisor._run = _find_detector, parts.__getitem__, _run_alone
    supervisor.END_SECONDS = pulse.END_SECONDS = 0.5  # type: ignore[attr-defined]
    supervisor.serve(node_settings(Path(sys.argv[1])), ("receiver", "worker", "sender"))
