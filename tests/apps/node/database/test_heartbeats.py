# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from datetime import timedelta

from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.heartbeats import STEADY_SECONDS, announce, beat, forget_old, note_death, withdraw
from monai_anomaly.apps.node.database.tables import Heartbeat, now


def _parts(database: Database) -> dict[tuple[str, str], Heartbeat]:
    with database.read() as session:
        return {(each.machine, each.part): each for each in session.query(Heartbeat)}


def test_a_part_dies_is_started_again_and_has_died_less_once_it_is_steady(database: Database) -> None:
    with database.begin() as session:
        announce(session, "here", ["receiver", "worker 0"])
    with database.begin() as session:
        note_death(session, "here", "worker 0", 3)
    dead = _parts(database)["here", "worker 0"]
    assert (dead.is_dead, dead.deaths) == (True, 3)
    for lived, deaths in ((1.0, 3), (STEADY_SECONDS + 1, 0)):
        with database.begin() as session:
            beat(session, "here", "worker 0", lived_seconds=lived, silent_seconds=7.5)
        found = _parts(database)["here", "worker 0"]
        assert (found.is_dead, found.deaths, found.silent_seconds) == (False, deaths, 7.5)
        assert now() - found.at < timedelta(seconds=60)


def test_parts_of_a_machine_go_with_it_and_those_of_others_after_a_day(database: Database) -> None:
    with database.begin() as session:
        announce(session, "here", ["worker 0", "worker 1"])
        announce(session, "there", ["web"])
        beat(session, "gone", "worker 0", lived_seconds=1.0, silent_seconds=0.0)
        session.get_one(Heartbeat, ("gone", "worker 0")).at = now() - timedelta(days=2)
    with database.begin() as session:
        announce(session, "here", ["worker 0"])  # with other settings
        forget_old(session)
    assert set(_parts(database)) == {("here", "worker 0"), ("there", "web")}
    with database.begin() as session:
        withdraw(session, "here")
    assert set(_parts(database)) == {("there", "web")}
