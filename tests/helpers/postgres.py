# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A real PostgreSQL for tests, where it is installed: ``with Postgres() as server: url = server.new_database()``."""

from __future__ import annotations

import pytest

from measurements.node.servers.postgres import Postgres, find_postgres

__all__ = ["Postgres", "needs_postgres"]

needs_postgres = pytest.mark.skipif(
    find_postgres() is None, reason="PostgreSQL is not installed (apt-get install postgresql)"
)
