# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The connection to the node's database: short writing transactions, and readings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Select, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from monai_anomaly.apps.node.database.tables import SCHEMA_VERSION, Base, Meta
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["Database"]

BUSY_SECONDS = 30
"""How long a writer waits for another one in SQLite."""

SHRINK_PAGES = 2000  # of 4 KiB: others wait for as long as it takes


class Database:
    """SQLite or PostgreSQL; may be used from several threads.

    Args:
        url: as SQLAlchemy has it: ``sqlite:///PATH`` or ``postgresql+psycopg://...``.

    Raises:
        ConfigError: when it cannot be opened, or is of another version of the node.
    """

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        options: dict[str, Any] = {"connect_args": {"timeout": BUSY_SECONDS}} if self.is_sqlite else {}
        try:
            # an error's text has no parameter, which may be a UID
            self.engine = create_engine(url, pool_pre_ping=not self.is_sqlite, hide_parameters=True, **options)
            if self.is_sqlite:
                event.listen(self.engine, "connect", _set_up_sqlite)
                event.listen(self.engine, "begin", _begin_sqlite)
            self._make_tables()
        except (SQLAlchemyError, ModuleNotFoundError) as error:  # its text may hold the password
            raise ConfigError(
                f"the node's database cannot be opened ({type(error).__name__}); look at the key 'database'."
            ) from None

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Give a session that may write; committed when the block ends well, else rolled back.

        Of SQLite there is one at a time. Objects may be looked at afterwards, as far as they were loaded.
        """
        with self.engine.connect().execution_options(node_writes=True) as connection:
            with Session(connection, expire_on_commit=False) as session, session.begin():
                yield session
            connection.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session to read in, which waits for no writer."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    def has_any(self, query: Select[Any]) -> bool:
        """Return whether a query has a row; for who asks all the time, as a session takes twice as long.

        Args:
            query: of columns.
        """
        with self.engine.connect() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def shrink(self) -> None:
        """Give pages that removed rows left back to the disk; PostgreSQL does it itself."""
        if self.is_sqlite:
            with self.engine.connect() as connection:
                file: Any = connection.connection.driver_connection
                # `execute` would stop after the first of its rows, which have no columns, and with it after one page
                file.executescript(f"PRAGMA incremental_vacuum({SHRINK_PAGES})")

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _make_tables(self) -> None:
        with self.begin() as session:
            if not self.is_sqlite:  # several processes start at once
                session.execute(text("SELECT pg_advisory_xact_lock(7265123)"))
            Base.metadata.create_all(session.connection())
            version = session.get(Meta, "schema")
            if version is None:
                session.add(Meta(name="schema", value=SCHEMA_VERSION))
            elif version.value != SCHEMA_VERSION:
                raise ConfigError(
                    f"the node's database has the tables of version {version.value[:20]}, this program those of "
                    f"version {SCHEMA_VERSION}; use the program that made it, or another database."
                )


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours, not the driver's
    cursor = connection.cursor()
    if cursor.execute("PRAGMA page_count").fetchone() == (0,):  # only a new file can be told so; others it would lock
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
    for line in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {line}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    """Take the write lock first: a reader that becomes a writer would fail at once where another writes."""
    writes = connection.get_execution_options().get("node_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
