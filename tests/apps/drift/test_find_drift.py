# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``drift`` as a person uses it: page, JSON, exit code, and nothing else touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monai_anomaly.__main__ import main
from tests.apps.drift.test_assessment import brighter, make_records


def write(path: Path, records: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


@pytest.fixture
def reference(tmp_path: Path) -> str:
    return write(tmp_path / "calibration_records.jsonl", make_records(80, 1, device="<dev>"))


def test_a_quiet_period_is_exit_0(tmp_path: Path, reference: str, capsys: pytest.CaptureFixture[str]):
    period = write(tmp_path / "records.jsonl", make_records(80))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(["drift", period, "--reference", reference, "--output", str(tmp_path / "out")]) == 0
    assert "no drift was found" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "drift.json").read_text())
    assert found["alarm"] is False and found["alarms"] == [] and found["n_patients"] == 80
    assert "no drift was found" in (tmp_path / "out" / "drift.html").read_text()
    assert {path: path.read_bytes() for path in before} == before


def test_drift_is_exit_3_on_a_page_without_script(tmp_path: Path, reference: str, capsys: pytest.CaptureFixture[str]):
    records = make_records(100, device="<dev>")
    first = write(tmp_path / "one.jsonl", records[:50])
    second = write(tmp_path / "two.jsonl", [brighter(record) for record in records[50:]])
    words = ["drift", first, second, "--reference", reference, "--output", str(tmp_path / "out"), "--window", "25"]
    assert main(words) == 3
    assert "Brightness (mean), patients 51 to 75: median 0.8" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "drift.json").read_text())
    windows = {w["first"]: w["alarm"] for w in found["windows"]["gray_mean"]}
    assert windows == {1: False, 26: False, 51: True, 76: True}
    assert found["alarm"] is True and len(found["alarms"]) == sum(
        each["alarm"]
        for family in (found["period"].values(), *found["windows"].values(), found["devices"])
        for each in family
    )
    page = (tmp_path / "out" / "drift.html").read_text()
    assert "<script" not in page and "<dev>" not in page and "&lt;dev&gt;" in page
    assert page.count('class="alarm"') == sum(w["alarm"] for each in found["windows"].values() for w in each)
    assert "No threshold was changed" in page


@pytest.mark.parametrize("words", [["--window", "9"], ["--false-alarms", "0"], ["--false-alarms", "1"]])
def test_options_that_make_no_sense(tmp_path: Path, reference: str, words: list[str]):
    with pytest.raises(SystemExit) as left:
        main(["drift", reference, "--reference", reference, "--output", str(tmp_path / "out"), *words])
    assert left.value.code == 2


def test_errors_are_sentences(tmp_path: Path, reference: str, capsys: pytest.CaptureFixture[str]):
    assert main(["drift", reference, "--reference", str(tmp_path / "none"), "--output", str(tmp_path)]) == 1
    other = write(tmp_path / "other.jsonl", make_records(30, threshold=0.5))
    assert main(["drift", reference, "--reference", other, "--output", str(tmp_path)]) == 1
    assert main(["drift", reference, "--reference", reference, "--output", str(tmp_path / "other.jsonl")]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert [error.split(":")[0] for error in errors] == ["error"] * 3
    assert "there are no records" in errors[0] and "2 thresholds" in errors[1] and "cannot be written" in errors[2]


def test_records_of_another_detector_are_refused(tmp_path: Path, reference: str, capsys: pytest.CaptureFixture[str]):
    period = tmp_path / "period"
    period.mkdir()
    write(period / "records.jsonl", make_records(80))
    words = ["drift", str(period), "--reference", reference, "--output", str(tmp_path / "out")]
    (tmp_path / "calibration.json").write_text(json.dumps({"model_hash": "a" * 64}))
    assert main(words) == 0  # nothing says whose the period's are
    (period / "run.json").write_text(json.dumps({"weights": "a" * 64}))
    assert main(words) == 0
    assert "sha256 aaaaaaaaaaaaaaaa" in (tmp_path / "out" / "drift.html").read_text()
    (period / "run.json").write_text(json.dumps({"weights": "b" * 64}))
    capsys.readouterr()
    assert main(words) == 1
    assert "different detectors" in capsys.readouterr().err
