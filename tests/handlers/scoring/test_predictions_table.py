# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv

import pytest

from monai_anomaly.handlers.scoring.predictions_table import COLUMNS, write_predictions
from monai_anomaly.handlers.scoring.record_file import RecordFile

SCORE = 0.1 + 0.2  # no short decimal


def _table(folder, *records):
    file = RecordFile(folder / "records.jsonl")
    file.start()
    for record in records:
        file.append(dict.fromkeys(COLUMNS) | {"status": "scored"} | record)
    file.flush()
    file.finish()
    write_predictions(file.path, folder / "predictions.csv")
    with open(folder / "predictions.csv", encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def test_a_row_for_each_record_with_numbers_as_they_are(tmp_path):
    first, second = _table(
        tmp_path,
        {"image": "a.png", "score": SCORE, "frame": 3, "p_value": -1e-300},
        {"image": "b, c.png", "score": None},
    )
    assert list(first) == list(COLUMNS)
    assert float(first["score"]) == SCORE and float(first["p_value"]) == -1e-300 and first["frame"] == "3"
    assert second["image"] == "b, c.png" and second["score"] == second["map"] == ""


@pytest.mark.parametrize("name", ["=1+1.png", "+a", "-rf.png", "@x", "\t=a", "\r=a"])
def test_no_name_is_a_formula(tmp_path, name):
    (row,) = _table(tmp_path, {"image": name, "reason": "=cmd", "score": -0.5})
    assert row["image"] == f"'{name}" and row["reason"] == "'=cmd"
    assert row["score"] == "-0.5"  # a number is no text


def test_a_name_that_is_no_text_of_ours_is_written_all_the_same(tmp_path):
    (row,) = _table(tmp_path, {"image": "caf\udce9 北\n.png"})
    assert row["image"] == "caf\\udce9 北\n.png"
