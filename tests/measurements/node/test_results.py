# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections import Counter

import pytest
from pydicom.data import get_testdata_file

from measurements.node.results import Tally, kinds_of, tally

KINDS = ("sr", "sc", "seg fractional", "seg binary")
SET = dict.fromkeys(KINDS, 1)


@pytest.mark.parametrize(
    ("sets", "wanted"),
    [
        ({"1": SET, "2": SET}, Tally(8, 8, 0, 0)),
        ({"1": SET}, Tally(8, 4, 0, 0)),  # nothing of one
        ({"1": SET, "2": {**SET, "sr": 0}}, Tally(8, 7, 0, 0)),
        ({"1": SET, "2": {**SET, "sr": 3}}, Tally(8, 8, 2, 0)),
        ({"1": SET, "2": {**SET, "other": 1}}, Tally(8, 8, 1, 0)),  # a kind that it should not have
        ({"1": SET, "2": SET, "3": {"sr": 1}}, Tally(8, 8, 0, 1)),
    ],
)
def test_what_is_lost_twice_or_of_nobody_is_counted(sets, wanted):
    found = tally({uid: Counter(kinds) for uid, kinds in sets.items()}, {"1": KINDS, "2": KINDS})
    assert found == wanted
    assert (found.wrong == []) == (wanted == Tally(8, 8, 0, 0))


def test_a_still_has_four_results_and_a_cine_two():
    still, cine = (get_testdata_file(f"examples_{name}_color.dcm", download=False) for name in ("rgb", "ybr"))
    assert kinds_of(still) == KINDS
    assert kinds_of(cine) == KINDS[:2]
