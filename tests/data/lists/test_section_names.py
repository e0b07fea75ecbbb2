# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest

from tests.helpers.data_lists import load, make_list, refusal

ENTRY = {"image": "t.png", "label": 0}


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        *(("testing", "test"), ("train", "training"), ("Training", "training"), ("val", "validation")),
        *(("valid", "validation"), ("tests", "test"), ("inferencing", "inference"), ("Unlabeled", "unlabeled")),
    ],
)
def test_a_section_that_is_called_nearly_as_ours_is_refused(tmp_path, key, ours):
    make_list(tmp_path, training=[{"image": "a.png"}], **{key: [ENTRY, "u.png"]})
    assert refusal(tmp_path, "training") == (
        f'"{key}" of dataset.json has 2 entries that are not read; call it "{ours}", or remove it.'
    )


def test_another_one_is_named(tmp_path, caplog):
    make_list(tmp_path, training=[{"image": "a.png"}], validation=[{"image": "b.png", "label": 0}], fold_3=[ENTRY])
    assert len(load(tmp_path, "training")) == 1
    assert '"fold_3" of dataset.json has 1 entries that are not read; the sections are "training"' in caplog.text


def test_other_keys_of_a_list_are_none(tmp_path, caplog):
    sections = {"training": [{"image": "a.png"}], "validation": [{"image": "b.png", "label": 0}]}
    others = {"labels": {"0": "normal"}, "tags": ["a", "b"], "numTest": 3, "testing": [], "reference": "x.png"}
    (make_list(tmp_path, **sections) / "dataset.json").write_text(json.dumps(sections | others))
    assert len(load(tmp_path, "training")) == 1 and "not read" not in caplog.text


def test_a_name_that_would_break_a_line_stays_on_it(tmp_path, caplog):
    others = {"validation": [{"image": "b.png", "label": 0}], "x\ny\x1b": [ENTRY]}
    load(make_list(tmp_path, training=[{"image": "a.png"}], **others), "training")
    assert '"x\\ny\\u001b" of dataset.json' in caplog.text
