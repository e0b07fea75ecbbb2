# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from measurements.comparison import Comparison, format_table
from monai_anomaly.utils.stopwatch import Span


@pytest.fixture
def comparison() -> Comparison:
    """Three rounds of ten units; the second was disturbed on both sides alike, the third on one."""
    return Comparison(
        "work",
        bar=1.5,
        per=10,
        ours=[Span(12.0, 11.0), Span(24.0, 11.0), Span(30.0, 11.0)],
        floor=[Span(10.0, 10.0), Span(20.0, 10.0), Span(10.0, 10.0)],
        notes={"remark": 7.0},
    )


def test_ratios_are_taken_round_by_round(comparison):
    assert comparison.ratios() == pytest.approx([1.2, 1.2, 3.0])
    assert comparison.ratios("cpu") == pytest.approx([1.1, 1.1, 1.1])
    assert comparison.ratio == pytest.approx(1.2)


def test_summary_counts_in_units(comparison):
    values = comparison.summary()
    assert values["ours_s_median"] == pytest.approx(2.4)
    assert values["floor_s_min"] == pytest.approx(1.0)
    assert values["ratio_min"] == pytest.approx(1.2)
    assert values["cpu_ratio_median"] == pytest.approx(1.1)
    assert values["remark"] == 7.0


def test_sides_of_different_length_are_refused(comparison):
    comparison.floor.pop()
    with pytest.raises(ValueError):
        comparison.ratios()


@pytest.mark.parametrize(("bar", "verdict"), [(1.5, "kept"), (1.2, "kept"), (1.1, "missed")])
def test_table_says_whether_the_median_keeps_the_bar(comparison, bar, verdict):
    comparison.bar = bar
    head, row = format_table([comparison]).splitlines()
    assert row.split() == ["work", "2.40", "s", "1.00", "s", "1.200", "1.200", "1.100", "<=", f"{bar:g}", verdict]
    assert len(head) == len(row)
