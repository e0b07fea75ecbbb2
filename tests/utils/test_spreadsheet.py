# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.utils.spreadsheet import as_text


@pytest.mark.parametrize("value", ["=1+1", "+1", "-rf.png", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_formula_becomes_text(value):
    assert as_text(value) == f"'{value}"


@pytest.mark.parametrize("value", ["", "a=b.png", "1-2.dcm", " =", "'=1"])
def test_other_texts_stay_as_they_are(value):
    assert as_text(value) == value
