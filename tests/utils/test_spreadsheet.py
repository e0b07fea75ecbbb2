# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

import monai_anomaly
from monai_anomaly.utils.spreadsheet import as_text, csv_lines, csv_text


@pytest.mark.parametrize("value", ["=1+1", "+1", "-rf.png", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_formula_becomes_text(value):
    assert as_text(value) == f"'{value}"


@pytest.mark.parametrize("value", ["", "a=b.png", "1-2.dcm", " =", "'=1"])
def test_other_texts_stay_as_they_are(value):
    assert as_text(value) == value


@pytest.mark.parametrize("value", ["-0.5", "-1", "-.5e-3"])
def test_a_negative_number_in_a_text_stays_a_number(value):
    assert as_text(value) == value


@pytest.mark.parametrize("value", ["-1+1", "-1e", "-inf()", "\uff0d1+1", "\uff1d1"])
def test_what_only_begins_like_a_number_is_a_formula(value):
    assert as_text(value) == f"'{value}"


def test_a_table_is_read_back_as_it_was():
    rows = [["a,b", 1, -0.25, None], ['q"u\no\rte;\t', 2, 1e-300, ""]]

    lines = "".join(csv_lines(["name", "n", "x", "none"], rows))

    assert list(csv.reader(io.StringIO(lines, newline=""))) == [
        ["name", "n", "x", "none"],
        ["a,b", "1", "-0.25", ""],
        ['q"u\no\rte;\t', "2", "1e-300", ""],
    ]
    assert lines.endswith("\n") and not lines.endswith("\r\n")


def test_no_cell_of_a_table_is_a_formula_not_even_a_column():
    text = csv_text(["=name", "x"], [{"=name": "@file.png", "x": -1}, {"x": "+2"}])

    assert text == "'=name,x\n'@file.png,-1\n,'+2\n"


def test_no_module_but_this_one_writes_tables():
    package = Path(monai_anomaly.__file__).parent
    writers = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)|to_csv|savetxt", path.read_text(encoding="utf-8"))
    ]

    assert writers == ["utils/spreadsheet.py"]
