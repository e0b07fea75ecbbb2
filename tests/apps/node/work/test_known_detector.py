# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from monai_anomaly.apps.node.configuration.sections import DetectorSettings
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.work import known_detector
from monai_anomaly.apps.node.work.known_detector import detector_key, recall_detector, remember_detector
from tests.apps.node.database.rows import add_detector


@pytest.fixture
def chosen(tmp_path: Path) -> DetectorSettings:
    (tmp_path / "model.pt").write_bytes(b"weights")
    (tmp_path / "calibration.json").write_text("{}")
    return DetectorSettings(checkpoint=tmp_path / "model.pt")


def test_a_detector_that_was_opened_is_known_until_another_one_is(database: Database) -> None:
    first, second = add_detector(database, "1"), add_detector(database, "2")
    assert recall_detector(database, "a") is None
    remember_detector(database, "a", first)
    assert recall_detector(database, "a") == first
    remember_detector(database, "b", second)
    assert (recall_detector(database, "a"), recall_detector(database, "b")) == (None, second)
    remember_detector(database, "c", 999)  # of a row that is not there
    assert recall_detector(database, "c") is None


def test_all_that_decides_whether_it_opens_is_in_the_key(
    chosen: DetectorSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    keys = [detector_key(chosen), detector_key(replace(chosen, false_alarm_rate=0.2))]
    keys += [detector_key(replace(chosen, frames="all")), detector_key(replace(chosen, calibration=other))]
    assert detector_key(chosen) == keys[0]
    (tmp_path / "calibration.json").write_text("{ }")
    keys.append(detector_key(chosen))
    (tmp_path / "model.pt").write_bytes(b"Weights")
    keys.append(detector_key(chosen))
    (tmp_path / "calibration.json").unlink()
    keys.append(detector_key(chosen))
    monkeypatch.setattr(known_detector, "__version__", "2")
    keys.append(detector_key(chosen))
    assert len(set(keys)) == len(keys)


def test_the_files_of_a_folder_are_those_in_it(chosen: DetectorSettings, tmp_path: Path) -> None:
    key = detector_key(replace(chosen, checkpoint=tmp_path))
    (tmp_path / "model.pt").write_bytes(b"Weights")
    assert detector_key(replace(chosen, checkpoint=tmp_path)) != key
