# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import time

from monai_anomaly.utils.stopwatch import Stopwatch


def test_stopwatch_tells_waiting_from_working():
    watch = Stopwatch()
    time.sleep(0.2)
    span = watch.read()
    assert span.wall >= 0.2
    assert span.cpu < span.wall
