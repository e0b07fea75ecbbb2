# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest

from monai_anomaly.apps.command.main import main

NUMBERS = {
    "auroc": 0.75,
    "auroc_interval": None,
    "average_precision": 0.5,
    "n_normal": 3,
    "n_abnormal": 4,
    "n_groups": 5,
    "calibration": None,
    "guard": None,
    "rejected": [],
}
RECORDS = [
    {"status": "scored", "decision": "normal"},
    {"status": "scored", "decision": "anomalous"},
    {"status": "scored", "decision": "normal"},
    {"status": "rejected", "decision": None},
]


@pytest.fixture
def results(tmp_path):
    """Return a folder as a bundle's runs leave it."""
    output = tmp_path / "output"
    (output / "inference").mkdir(parents=True)
    (output / "metrics.json").write_text(json.dumps(NUMBERS))
    (output / "report.html").touch()
    (output / "inference" / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    return tmp_path


def test_numbers_and_pages_are_shown(results, capsys):
    assert main(["report", str(results)]) == 0
    lines = [line.split(None, 1) for line in capsys.readouterr().out.splitlines()]
    assert ["ROC", "AUC            0.750  (no interval)"] in lines
    assert ["page", str(results / "output" / "report.html")] in lines
    assert ["files", "3 scored, 1 rejected"] in lines
    assert ["decisions", "2 normal, 1 anomalous"] in lines


def test_the_page_is_opened(results, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main(["report", str(results / "output"), "--open"]) == 0
    assert opened == [(results / "output" / "report.html").as_uri()]
    (results / "output" / "report.html").unlink()
    assert main(["report", str(results), "--open"]) == 1


def test_where_nothing_is_it_says_what_makes_something(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 1
    assert "monai-anomaly evaluate BUNDLE" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["output/metrics.json", "output/inference/records.jsonl"])
@pytest.mark.parametrize("text", ["{", "[]", '{"status": 1}', "\xff"])
def test_damaged_files_are_a_sentence(results, name, text, capsys):
    (results / name).write_bytes(text.encode("latin-1"))
    assert main(["report", str(results)]) == 1
    assert capsys.readouterr().err.startswith(f"error: '{results / name}' is not what")
