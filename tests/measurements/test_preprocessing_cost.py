# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re

from measurements import preprocessing_cost


def test_every_kind_is_timed_by_both_versions(capsys):
    words = ["--count", "2", "--photographs", "1", "--rounds", "1", "--shape", "420", "400"]
    assert preprocessing_cost.main(words) == 0
    said = capsys.readouterr().out
    for kind in ("PNG, gray, 256 x 256", "DICOM, ultrasound", "DICOM, ultrasound, JPEG", "JPEG, RGB, 420 x 400"):
        assert re.search(rf"^{kind} +(\d+\.\d\d / \d+\.\d\d *){{3}}$", said, re.M)
