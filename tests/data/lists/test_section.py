# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.data.lists.section import Section

NAMES = ("training", "validation", "test", "inference", "normals", "unlabeled")


@pytest.mark.parametrize("name", NAMES)
def test_a_section_is_its_name_for_configurations_and_messages(name):
    section = Section.of(name)
    assert section == name and f"{section}" == str(section) == name and Section.of(section) is section


@pytest.mark.parametrize("name", ["train", "Test", "unlabelled", "", None, ["test"]])
def test_another_name_is_refused_with_all_that_there_are(name):
    with pytest.raises(ValueError, match="^section must be one of " + ", ".join(NAMES) + ", got "):
        Section.of(name)
