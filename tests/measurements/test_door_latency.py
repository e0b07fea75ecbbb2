# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest

from measurements.door_latency import PARTS, main
from tests.helpers.doors import write_model


def test_the_parts_of_a_score_add_up(tmp_path, capsys):
    arguments = [f"--checkpoint={write_model(tmp_path)}", "--rounds=1", f"--json={tmp_path / 'numbers.json'}"]
    assert main(arguments) == 0
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert list(numbers) == ["64 px PNG", "1024 px DICOM"]
    for times in numbers.values():
        assert sum(times[part] for part in PARTS) == pytest.approx(times["score"])
        assert times["ratio"] == pytest.approx(times["score"] / times["forward"])
        assert times["forward"] > 0
    assert numbers["1024 px DICOM"]["reading"] > numbers["64 px PNG"]["reading"] > 0
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()[1:]] == list(numbers)


def test_a_detector_that_is_not_there_is_one_sentence(tmp_path, capsys):
    assert main([f"--checkpoint={tmp_path / 'model.pt'}"]) == 1
    assert capsys.readouterr().err.startswith("error: there is no checkpoint")
