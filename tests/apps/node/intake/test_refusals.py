# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import threading
from collections import Counter

from monai_anomaly.apps.node.intake.refusals import CountedRefusals


def test_refusals_of_many_threads_are_entered_once_and_none_is_lost_when_the_database_is_away() -> None:
    entered: Counter[tuple[str, str]] = Counter()
    away = threading.Event()

    def enter(origin: str, code: str, number: int) -> None:
        if away.is_set():
            raise RuntimeError("a text that must not be seen")
        entered[origin, code] += number

    refusals = CountedRefusals(enter)
    threads = [threading.Thread(target=lambda: [refusals("dimse", "tls") for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    refusals("folder", "not_dicom")
    refusals.enter()
    for thread in threads:
        thread.join()
    away.set()
    refusals("folder", "not_dicom")
    refusals.enter()
    assert entered["folder", "not_dicom"] == 1
    away.clear()
    refusals.enter()
    refusals.enter()
    assert entered == {("dimse", "tls"): 2000, ("folder", "not_dicom"): 2}
