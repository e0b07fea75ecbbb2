# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.frame_rule import aggregate, check_aggregate, check_frame_rule, choose_frame, select_frames
from monai_anomaly.data.lists.frame_items import expand_frames


@pytest.mark.parametrize(
    ("rule", "count", "frames"),
    [
        ("middle", 1, [0]),
        ("middle", 30, [15]),
        ("all", 3, [0, 1, 2]),
        ("every:1", 3, [0, 1, 2]),
        ("every:4", 9, [0, 4, 8]),
        ("every:99", 9, [0]),
        ("spaced:1", 30, [15]),
        ("spaced:3", 30, [5, 15, 25]),
        ("spaced:4", 10, [1, 3, 6, 8]),
        ("spaced:8", 5, [0, 1, 2, 3, 4]),
    ],
)
def test_rules(rule, count, frames):
    assert select_frames(rule, count) == frames


@pytest.mark.parametrize("count", range(1, 40))
def test_spaced_frames_are_spread_and_different(count):
    for number in range(1, 45):
        frames = select_frames(f"spaced:{number}", count)
        assert len(set(frames)) == len(frames) == min(number, count)
        assert 0 <= frames[0] and frames[-1] < count and frames == sorted(frames)
        gaps = np.diff(frames)
        assert gaps.size == 0 or gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize(
    "rule", ["", "first", "every:0", "every:-1", "every:1.5", "spaced:", "spaced:x", None, 3, "all "]
)
def test_other_texts_are_no_rules(rule):
    with pytest.raises(ValueError, match="frames must be"):
        check_frame_rule(rule)


def test_one_frame():
    assert choose_frame(None, 5) == 2 and choose_frame(4, 5) == 4
    for frame in (5, -1):
        with pytest.raises(ImageReadError, match="frame_count"):
            choose_frame(frame, 5)


def test_aggregation_agrees_with_numpy():
    scores = np.random.default_rng(0).random(17)
    assert aggregate(scores, "max") == scores.max()
    assert aggregate(scores, "mean") == pytest.approx(scores.mean())
    for share in (0, 0.25, 0.9, 1):
        assert aggregate(scores, f"quantile:{share}") == pytest.approx(np.quantile(scores, share))
    assert [aggregate([0.3], rule) for rule in ("max", "mean", "quantile:0.9")] == [0.3] * 3


@pytest.mark.parametrize("rule", ["median", "quantile", "quantile:2", "quantile:-1", "quantile:nan", 1, ""])
def test_other_texts_are_no_aggregations(rule):
    with pytest.raises(ValueError, match="aggregate must be"):
        check_aggregate(rule)


def test_nothing_cannot_be_aggregated():
    with pytest.raises(ValueError, match="at least one"):
        aggregate([], "max")


def _count(path):
    if path == "broken":
        raise ImageReadError("truncated", "short")
    return {"still": 1, "cine": 4, "other": 9}[path]


def test_items_become_frames_in_order():
    data = [
        {"image": "still", "index": 0},
        {"image": "cine", "index": 1},
        {"image": "broken", "index": 2},
        {"image": "cine", "index": 3, "frame": 1},
        {"image": "other", "index": 4, "frames": "every:5"},
        {"image": "cine", "index": 5, "frames": "middle"},
    ]
    expanded = expand_frames(data, "all", _count)
    assert [(i["index"], i.get("frame"), i["study_frames"]) for i in expanded] == [
        (0, None, 1),
        *[(1, n, 4) for n in range(4)],
        (2, None, 1),
        (3, 1, 1),
        (4, 0, 2),
        (4, 5, 2),
        (5, None, 1),
    ]
    assert not any("frames" in item for item in expanded)
    assert "study_frames" not in data[0]


def test_the_middle_frame_needs_no_header():
    def refuse(_):
        raise AssertionError("a header was read")

    assert [i["study_frames"] for i in expand_frames([{"image": "cine"}] * 2, "middle", refuse)] == [1, 1]


def test_a_senseless_rule_is_refused_before_any_file_is_opened():
    with pytest.raises(ValueError, match="frames must be"):
        expand_frames([], "some", _count)
