# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.utils.launches import launch_id, was_restarted


@pytest.mark.parametrize(
    ("launch", "count", "expected"),
    [
        (None, None, False),  # not by torchrun
        ("none", "0", False),  # torchrun --nproc_per_node=2
        ("none", "1", True),
        ("a word", "0", True),  # a failure on another machine is not counted on this one
        ("a word", "2", True),
    ],
)
def test_what_may_have_run_before(monkeypatch, launch, count, expected):
    for name, value in (("TORCHELASTIC_RUN_ID", launch), ("TORCHELASTIC_RESTART_COUNT", count)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert launch_id() == (launch or "")
    assert was_restarted() is expected
