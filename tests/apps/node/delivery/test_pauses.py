# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Pauses grow, within bounds, and are not the same for all."""

from __future__ import annotations

from monai_anomaly.apps.node.delivery.pauses import pause_after


def test_pauses_double_from_a_second_to_a_quarter_of_an_hour() -> None:
    for attempts in range(1, 12):
        longest = min(2.0 ** (attempts - 1), 900.0)
        pauses = [pause_after(attempts) for _ in range(50)]
        assert all(0.75 * longest <= pause <= longest for pause in pauses)
        assert len(set(pauses)) > 40
    assert 675 <= pause_after(10_000) <= 900
    assert pause_after(0) <= 1
