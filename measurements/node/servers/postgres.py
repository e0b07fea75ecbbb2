# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A PostgreSQL of one's own."""

from __future__ import annotations

import secrets
import shutil
import signal
from pathlib import Path

from measurements.node.servers.private import PrivateServer, free_port

__all__ = ["Postgres", "find_postgres"]


def find_postgres() -> Path | None:
    """Return the folder of ``initdb`` and ``postgres``, or None where PostgreSQL is not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    found = shutil.which("initdb")
    folders = [*reversed(debian), *([Path(found).resolve().parent] if found else [])]
    return next((folder for folder in folders if (folder / "initdb").is_file()), None)


class Postgres(PrivateServer):
    """A PostgreSQL on a free port of loopback, whose data go away with it.

    Args:
        durable: whether it syncs what it writes, as one in use does; a test is quicker without.

    Raises:
        RuntimeError: when PostgreSQL is not installed or does not start.
    """

    def __init__(self, *, durable: bool = False) -> None:
        programs = find_postgres()
        if programs is None:
            raise RuntimeError("PostgreSQL is not installed (apt-get install postgresql).")
        super().__init__("postgres", signal.SIGINT)  # SIGINT: it does not wait for clients
        self._programs, self._durable = programs, durable
        self._password = secrets.token_hex(16)
        self._databases = 0

    def prepare(self) -> None:
        """Make its cluster of databases."""
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(self._password)
        self.own()
        options = ["--username=node", "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C"]
        self.run([str(self._programs / "initdb"), "--no-sync", f"--pgdata={self.folder / 'data'}", *options])

    def start(self) -> None:
        """Start it, on a new port; also after :meth:`stop`, with the data it had."""
        self.port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on" if self._durable else "off",
            "synchronous_commit": "on" if self._durable else "off",
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.launch([str(self._programs / "postgres"), "-D", str(self.folder / "data"), *words], self._answers)

    def new_database(self) -> str:
        """Make an empty database, and return its URL for SQLAlchemy."""
        import psycopg  # only who has a server needs the driver

        self._databases += 1
        name = f"node{self._databases}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._address(name).replace("postgresql://", "postgresql+psycopg://")

    def _address(self, name: str) -> str:
        return f"postgresql://node:{self._password}@127.0.0.1:{self.port}/{name}"

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self._address("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
