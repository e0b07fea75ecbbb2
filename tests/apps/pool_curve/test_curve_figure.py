# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.apps.pool_curve.curve_figure import draw_curve
from monai_anomaly.apps.pool_curve.curve_table import CurvePoint


@pytest.mark.parametrize(("lowest", "is_said"), [(0.72, False), (0.44, True)])
def test_the_line_of_guessing_is_spoken_of_where_it_is_drawn(lowest: float, is_said: bool):
    drawn = draw_curve(
        [CurvePoint("data", "embedding", "all", share, auroc=lowest + 0.1 * i) for i, share in enumerate("01")]
    )
    assert ("Dashed gray: guessing" in drawn) == is_said
    assert drawn.count('class="chance"') == is_said


def test_what_is_not_done_yet_is_no_reason_to_fail():
    assert "nothing is done" in draw_curve([CurvePoint("data", "embedding", "all", "0")])
