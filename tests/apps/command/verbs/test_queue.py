# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import pytest

from monai_anomaly.apps.command.main import main
from monai_anomaly.apps.node.database.database import Database
from tests.apps.node.database.rows import add_detector, add_job, job_of


@pytest.fixture
def settings(tmp_path: Path) -> str:
    file = tmp_path / "node.yaml"
    file.write_text("folder: node\ndetector: {checkpoint: model.pt}\n")
    (tmp_path / "node").mkdir()
    return str(file)


@pytest.fixture
def database(settings: str, tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'node' / 'node.db'}")


def test_dead_jobs_are_shown_with_their_reasons_and_tried_again(
    settings: str, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = add_detector(database)
    add_job(database, detector)
    dead = add_job(database, detector, state="dead", attempts=5, code="no_memory", reason="The machine is too small.")
    assert main(["queue", settings, "--dead"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["queued", "1"]
    assert f"job {dead}: no_memory after 5 attempts: The machine is too small." in lines
    assert main(["queue", settings, "--again", str(dead)]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["queued", "2"]
    assert (job_of(database, dead).state, job_of(database, dead).attempts) == ("queued", 0)


def test_a_job_that_was_not_given_up_is_an_error_and_the_others_stay_as_they_were(
    settings: str, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = add_detector(database)
    dead, queued = add_job(database, detector, state="dead"), add_job(database, detector)
    assert main(["queue", settings, "--again", str(dead), str(queued)]) == 1
    assert f"job {queued} was not given up" in capsys.readouterr().err
    assert job_of(database, dead).state == "dead"
