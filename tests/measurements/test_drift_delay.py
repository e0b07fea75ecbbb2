# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from measurements.drift_delay import CHANGES, main, measure
from tests.apps.drift.test_assessment import brighter, make_records
from tests.helpers.doors import write_model


def test_a_change_is_found_in_its_first_window_and_none_without_one():
    normals = make_records(160)
    sizes = {"periods": 3, "reference": 60, "length": 100}
    found = measure(normals, [brighter(record) for record in normals], start=50, **sizes)
    assert (found.delays, str(found)) == ([50] * 3, "3 of 3 | 50 | 50")
    assert str(measure(normals, normals, start=0, **sizes)) == "0 of 3 | - | -"


@pytest.mark.parametrize("name", CHANGES)
def test_changes_leave_pictures(name):
    image = np.random.default_rng(0).random((1, 40, 60), np.float32)
    before = image.copy()
    changed = CHANGES[name](image)
    assert changed.ndim == 3 and changed.min() >= 0 and changed.max() <= 1 and (image == before).all()
    assert (name == "none") == (changed.shape == image.shape and bool((changed == image).all()))


def test_the_table_has_every_change(tmp_path, capsys):
    model = write_model(tmp_path, guard=False)
    for folder in ("normals", "abnormal"):
        (tmp_path / folder).mkdir()
        for number in range(50):
            gray = np.random.default_rng(number).integers(0, 256, (40, 56), dtype=np.uint8)
            Image.fromarray(gray).save(tmp_path / folder / f"{number}.png")
    sizes = ["--periods", "1", "--reference", "20", "--length", "30", "--start", "10"]
    main([str(model), str(tmp_path / "normals"), "--abnormal", str(tmp_path / "abnormal"), *sizes])
    rows = [line.split(" | ")[0][2:] for line in capsys.readouterr().out.splitlines()[3:]]
    assert rows == [*CHANGES, "10 % abnormal", "30 % abnormal"]
