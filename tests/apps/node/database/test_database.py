# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.tables import Meta, now
from monai_anomaly.utils.exceptions import ConfigError
from tests.apps.node.database.rows import add_detector, add_job


def test_what_a_failed_block_wrote_is_not_there(database: Database) -> None:
    with pytest.raises(RuntimeError), database.begin() as session:
        session.add(Meta(name="x", value="y"))
        session.flush()
        raise RuntimeError
    with database.read() as session:
        assert session.get(Meta, "x") is None


def test_a_second_opening_keeps_what_is_there_and_times_have_their_zone(database: Database, url: str) -> None:
    before = now()
    number = add_job(database, add_detector(database))
    again = Database(url)
    with again.read() as session:
        from monai_anomaly.apps.node.database.tables import Job

        job = session.get(Job, number)
        assert job is not None
        assert before <= job.created_at <= now()
    again.close()


def test_another_version_of_the_tables_is_refused_by_name(database: Database, url: str) -> None:
    with database.begin() as session:
        session.get_one(Meta, "schema").value = "999"
    with pytest.raises(ConfigError, match="version 999"):
        Database(url)


def test_an_instance_has_one_job_of_a_detector(database: Database) -> None:
    detector = add_detector(database)
    add_job(database, detector, instance="1.2")
    with pytest.raises(IntegrityError):
        add_job(database, detector, instance="1.2")
    add_job(database, add_detector(database, weights="other"), instance="1.2")


def test_an_url_that_leads_nowhere_is_an_error_without_its_password() -> None:
    with pytest.raises(ConfigError, match="cannot be opened") as caught:
        Database("postgresql+psycopg://node:SECRET@127.0.0.1:1/none")
    assert "SECRET" not in str(caught.value)
