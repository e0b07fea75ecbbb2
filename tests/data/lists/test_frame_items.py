# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.lists.frame_items import expand_frames


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
