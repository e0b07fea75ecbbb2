# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.data.lists.description import describe_data_set
from monai_anomaly.phantom.phantom import make_phantom


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"labels.csv": "file,label\n"}, "labels.csv"),
        ({"dataset.json": '{"name": "MUELLER^HANS"}'}, "dataset.json"),
        ({"dataset.json": "[1"}, "dataset.json"),
        ({}, "folder"),
    ],
)
def test_a_data_set_is_called_by_its_kind_and_by_its_name_on_demand(tmp_path, files, kind):
    folder = tmp_path / "patient_7"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    assert describe_data_set(folder) == kind
    assert describe_data_set(folder, source_names=True) == f"{kind} of patient_7"


def test_a_generated_data_set_says_so(tmp_path):
    folder = make_phantom(tmp_path / "p", num_train=6, num_val=0, num_test=0, num_unlabeled=0)
    assert describe_data_set(folder) == "generated phantom"
