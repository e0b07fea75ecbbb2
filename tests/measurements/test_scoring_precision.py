# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

from measurements.pictures import write_pictures
from measurements.scoring_precision import main
from tests.helpers.doors import write_model


def test_both_precisions_are_timed_and_compared(tmp_path, capsys):
    write_pictures(tmp_path / "pictures", 3)
    path = tmp_path / "numbers.json"
    arguments = [str(write_model(tmp_path)), str(tmp_path / "pictures"), "--rounds=1", "--images=2", f"--json={path}"]
    assert main(arguments) == 0
    numbers = json.loads(path.read_text())
    assert numbers["images"] == 2 and 0 < numbers["shift_mean"] <= numbers["shift_max"]
    assert numbers["speedup"] > 0 and "bfloat16_ms" in capsys.readouterr().out
