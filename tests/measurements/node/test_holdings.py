# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from measurements.node.holdings import HEADINGS, Holdings, growth


def _look(moment: int, **values: float) -> Holdings:
    worker = values.pop("worker", 900.0 if moment else 500.0)  # it has not warmed up at the first look
    memory = {"worker": worker, "receiver": 100.0}
    counts = {"files": 40, "threads": 12, "temporary": 4, **{name: int(value) for name, value in values.items()}}
    states = {"sent": moment, "done": moment, "waiting": 200, "unsent": 9}
    return Holdings(**states, memory=memory, database=moment / 10, seconds=60.0 * moment, **counts)


def test_what_grows_after_the_warming_up_is_named():
    assert growth([_look(moment) for moment in range(9)]) == []
    assert growth([_look(moment, worker=900.0 + 60.0 * moment) for moment in range(9)]) == [
        "memory of the worker from 1140 to 1320 MiB"
    ]
    assert growth([_look(moment, files=40 + 4 * moment) for moment in range(9)]) == ["files from 56 to 68"]
    assert growth([_look(moment, files=40 + 40 * moment) for moment in range(8)]) == []  # too short to say


def test_a_row_has_a_cell_for_each_heading():
    assert {line.count("|") for line in (*HEADINGS.splitlines(), _look(3).row())} == {17}
