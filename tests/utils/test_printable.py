# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.utils.printable import printable


@pytest.mark.parametrize("name", ["a\nb", "a\r", "\x1b[31mred", "\x00", "a\u2028b", "\udce9", "\u202egnp.exe"])
def test_what_would_break_a_line_is_written_out(name):
    assert printable(name).isprintable() and "\\" in printable(name)


@pytest.mark.parametrize("name", ["normal (1).png", "Stra\u00dfe/\u00e9.dcm", ""])
def test_other_names_stay(name):
    assert printable(name) == name
