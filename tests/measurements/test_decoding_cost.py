# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import re

from measurements import decoding_cost


def test_both_ways_of_both_kinds_are_timed(capsys):
    assert decoding_cost.main(["--count", "2", "--rounds", "1"]) == 0
    said = capsys.readouterr().out
    for kind in ("PNG 256 x 256", "DICOM 1024 x 1024"):
        assert re.search(
            rf"^{kind}: \d+\.\d\d ms, with decode_limit \d+\.\d\d ms, [+-]\d+\.\d\d ms a file$", said, re.M
        )
