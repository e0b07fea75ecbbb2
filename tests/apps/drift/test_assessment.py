# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether the records of a period are like those of a reference: alarms, and none without a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_anomaly.apps.drift.assessment import assess
from monai_anomaly.apps.drift.record_columns import Columns, make_columns, read_records, used_rate
from monai_anomaly.utils.exceptions import ConfigError

RATE = 0.1
FACTS = ("gray_mean", "gray_std", "gray_zero", "gray_step")


def make_records(count: int, seed: int = 0, **change: Any) -> list[dict[str, Any]]:
    """Records of normal images of one site, changed."""
    draw = np.random.default_rng(seed)
    records = []
    for p_value in draw.random(count):
        facts = {name: float(value) for name, value in zip(FACTS, draw.normal(0.5, 0.1, 4), strict=True)}
        records.append(
            {
                **{"status": "scored", "decision": "normal" if p_value > RATE else "anomalous"},
                **{"score": 1 - p_value, "p_value": p_value, "threshold": 0.9, "false_alarm_rate": RATE},
                **{"facts": facts | {"rows": 480, "columns": 640}, "device": None, "patient": None},
            }
            | change
        )
    return records


def find(period: list[dict[str, Any]], reference: list[dict[str, Any]], **options: Any) -> set[tuple[str, int, str]]:
    """Return statistic, first patient and device of each alarm."""
    columns = make_columns(period, RATE), make_columns(reference, RATE)
    found = assess(*columns, **{"window": 25, "false_alarms": 0.01} | options)
    return {(o.statistic, o.first if o.last - o.first < len(found.period) - 1 else 0, o.device) for o in found.alarms}


def test_without_drift_hardly_ever_an_alarm():
    alarms = sum(bool(find(make_records(60, 2 * i), make_records(60, 2 * i + 1), false_alarms=0.2)) for i in range(60))
    assert alarms <= 60 * 0.2  # the promise; ties and Bonferroni make it far less


def brighter(record: dict[str, Any]) -> dict[str, Any]:
    return record | {"facts": record["facts"] | {"gray_mean": record["facts"]["gray_mean"] + 0.3}}


@pytest.mark.parametrize(
    ("change", "statistic"),
    [
        (brighter, "gray_mean"),
        (lambda record: record | {"facts": record["facts"] | {"rows": 600}}, "rows"),
        (lambda record: record | {"p_value": record["p_value"] / 20}, "alarms"),
        (lambda record: record | {"p_value": record["p_value"] / 20}, "p_value"),
        (lambda record: record | {"decision": "not_applicable"}, "refusals"),
        (lambda record: record | {"status": "rejected", "decision": None, "score": None, "p_value": None}, "failures"),
    ],
)
def test_a_change_is_found_where_it_begins(change, statistic):
    records = make_records(150)
    period = [*records[:50], *(change(record) for record in records[50:])]
    found = find(period, make_records(150, 1))
    assert {(statistic, 51, ""), (statistic, 0, "")} <= found
    assert {first for name, first, _ in found if name == statistic} <= {0, 51, 76, 101, 126}


def test_one_device_of_many_is_found_by_itself():
    devices = [{"device": f"dev{i % 6}"} for i in range(300)]
    reference = [record | device for record, device in zip(make_records(300, 1), devices, strict=True)]
    period = [record | device for record, device in zip(make_records(300), devices, strict=True)]
    period = [brighter(record) if record["device"] == "dev2" else record for record in period]
    assert ("gray_mean", 0, "dev2") in find(period, reference)
    assert {device for _, _, device in find(period, reference) if device} == {"dev2"}


def test_a_new_device_is_found_and_a_rare_one_is_none():
    rare = [record | {"device": f"single {i}"} for i, record in enumerate(make_records(100, 1))]
    one = [record | {"device": "one"} for record in make_records(100, 1)]
    period = [record | {"device": "new" if i >= 50 else "one"} for i, record in enumerate(make_records(100))]
    assert ("new_devices", 51, "") in find(period, one)
    assert not [name for name, _, _ in find(period, rare) if name == "new_devices"]


def test_images_of_one_patient_count_once():
    bright = [brighter(record) | {"patient": "one"} for record in make_records(60, 3)]
    assert not find([*make_records(60), *bright], make_records(100, 1))
    columns = make_columns([*make_records(2), *bright], RATE).first_of_patients
    assert len(columns) == 3 and columns.numbers["gray_mean"][2] == bright[0]["facts"]["gray_mean"]


def test_without_p_values_scores_are_compared():
    def uncalibrated(seed: int, shift: float = 0.0) -> Columns:
        bare = {"p_value": None, "decision": "uncalibrated", "threshold": None, "false_alarm_rate": None}
        return make_columns([r | bare | {"score": r["score"] + shift} for r in make_records(80, seed)], None)

    assessment = assess(uncalibrated(0, 2.0), uncalibrated(1), window=25, false_alarms=0.01)
    assert {outcome.statistic for outcome in assessment.alarms} == {"score"}
    assert set(assessment.not_compared) == {"alarms", "p_value", "new_devices"}


def test_windows_hold_every_patient_once():
    for count, expected in ((100, 4), (112, 4), (113, 5), (20, 1)):
        columns = make_columns(make_records(count), RATE)
        windows = assess(columns, columns, window=25, false_alarms=0.01).windows["gray_mean"]
        assert [w.first for w in windows][1:] == [w.last + 1 for w in windows][:-1] and len(windows) == expected
        assert sum(window.check.n for window in windows) == count


def test_too_few_are_refused():
    with pytest.raises(ConfigError, match="the reference has 19 patients; at least 20"):
        find(make_records(40), make_records(19))


def test_records_of_two_calibrations_are_refused():
    records = make_records(3)
    assert used_rate(records) == RATE and used_rate([{"threshold": None}]) is None
    with pytest.raises(ConfigError, match="2 thresholds"):
        used_rate([*records, *make_records(1, threshold=0.8)])


def test_files_and_folders_of_records_are_read_in_order(tmp_path: Path):
    for name, seed in (("a", 0), ("b", 1)):
        (tmp_path / name).mkdir()
        lines = "".join(json.dumps(record) + "\n" for record in make_records(2, seed))
        (tmp_path / name / f"{'calibration_' * (name == 'b')}records.jsonl").write_text(lines)
    records = read_records([tmp_path / "b", tmp_path / "a" / "records.jsonl"])
    assert records == [*make_records(2, 1), *make_records(2)]


@pytest.mark.parametrize("text", ["", "{}\n", "[1]\n", "x\n", "[" * 9999])
def test_what_are_no_records_is_said(tmp_path: Path, text: str):
    (tmp_path / "records.jsonl").write_text(text)
    with pytest.raises(ConfigError, match=r"no records|is not what an inference"):
        read_records([tmp_path])
    with pytest.raises(ConfigError, match="there are no records"):
        read_records([tmp_path / "none"])


def test_a_text_in_place_of_a_number_is_said():
    with pytest.raises(ConfigError, match="no finite number"):
        make_columns(make_records(1, p_value="low"), RATE)
