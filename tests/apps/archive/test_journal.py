# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from monai_anomaly.apps.archive.journal import OPENING, TOGETHER, Journal, file_phase
from monai_anomaly.apps.archive.place import ResultPlace


def test_who_opens_a_journal_knows_where_the_others_ended(tmp_path):
    place = ResultPlace(str(tmp_path))
    first = Journal(place, "part-0")
    assert first.deaths(OPENING) == 0
    first.enter(OPENING)
    first.enter(TOGETHER)
    second = Journal(place, "part-0")
    assert (second.deaths(OPENING), second.deaths(TOGETHER)) == (0, 1)
    second.enter(file_phase(3))
    third = Journal(place, "part-0")
    assert (third.deaths(TOGETHER), third.deaths(file_phase(3)), third.deaths(file_phase(4))) == (1, 1, 0)
    assert Journal(place, "part-1").deaths(TOGETHER) == 0
    third.remove()
    assert Journal(place, "part-0").deaths(TOGETHER) == 0
