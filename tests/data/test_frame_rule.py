# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.frame_rule import check_frame_rule, choose_frame, select_frames


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
