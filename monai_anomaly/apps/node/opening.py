# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What every process of the node opens."""

from __future__ import annotations

import os
import secrets
import socket

from monai_anomaly.apps.node.configuration.sections import NodeSettings
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.spool import Spool
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["machine_name", "open_database", "open_spool", "owner_name", "process_name"]


def open_database(settings: NodeSettings) -> Database:
    """Return the node's database.

    Raises:
        ConfigError: when it cannot be opened.
    """
    if settings.database is None:
        settings.folder.mkdir(parents=True, exist_ok=True)
        return Database(f"sqlite:///{settings.folder / 'node.db'}")
    url = os.environ.get(settings.database.env)
    if not url:
        raise ConfigError(
            f"the variable '{settings.database.env}', which the setting 'database.env' names, is not set."
        )
    return Database(url)


def open_spool(settings: NodeSettings) -> Spool:
    """Return the node's spool."""
    return Spool(settings.folder, int(settings.queue.min_free_gib * (1 << 30)))


def machine_name() -> str:
    """Return what this machine's leases begin with."""
    return socket.gethostname()[:64]


def process_name(process: int | None = None) -> str:
    """Return what the leases of a process of this machine begin with; None is this process."""
    return f"{machine_name()}:{os.getpid() if process is None else process}"


def owner_name() -> str:
    """Return a name for leases of this process, another one each time."""
    return f"{process_name()}:{secrets.token_hex(4)}"
