# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from measurements import drift_delay
from measurements.drift_delay import CHANGES, main, measure
from tests.apps.drift.test_assessment import brighter, make_records


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


class StubDetector:
    """Scores a folder's pictures, or arrays, by their brightness."""

    pictures = [np.random.default_rng(n).random((1, 20, 30), np.float32) for n in range(50)]

    def score(self, x, **_):
        for picture in self.pictures if isinstance(x, str) else x:
            record = make_records(1, score=float(picture.mean()))[0]
            yield SimpleNamespace(status="scored", picture=picture, record=lambda record=record: record)


def test_the_table_has_every_change(monkeypatch, capsys):
    monkeypatch.setattr(drift_delay.ma, "load", lambda *_, **__: StubDetector())
    main(["model", "normals", "--abnormal", "abnormal", "--periods=1", "--reference=20", "--length=30", "--start=10"])
    rows = [line.split(" | ")[0][2:] for line in capsys.readouterr().out.splitlines()[3:]]
    assert rows == [*CHANGES, "10 % abnormal", "30 % abnormal"]
