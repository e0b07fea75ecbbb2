# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from monai_anomaly.apps.arguments import MOST_TILES, count, finite, frame_rule, frames_axis, minutes, seeds, tiles


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (count, "1", 1),
        (seeds, "0,3,1", [0, 3, 1]),
        (minutes, "0.5", 0.5),
        (tiles, str(MOST_TILES), MOST_TILES),
        (frame_rule, "every:3", "every:3"),
        (frames_axis, "2", 2),
        (finite, "-1e3", -1000.0),
    ],
)
def test_what_makes_sense(kind, text, value):
    assert kind(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (count, "0"),
        (seeds, "1,1"),
        (seeds, "-1"),
        (minutes, "0"),
        (minutes, "nan"),
        (tiles, str(MOST_TILES + 1)),
        (frame_rule, "some"),
        (frames_axis, "1"),
        (finite, "inf"),
    ],
)
def test_what_makes_none_is_said(kind, text):
    with pytest.raises(ArgumentTypeError):
        kind(text)


@pytest.mark.parametrize("kind", [count, seeds, minutes, tiles, frames_axis, finite])
def test_a_word_is_no_number(kind):
    with pytest.raises(ValueError):
        kind("many")
