# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest

from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.pool import load_pool

ABNORMAL = "abnormal training images, which are never opened"
HELD_OUT = "images of the pool, whose patients are held out for validation"


def entries(names: str, label: int | None = None) -> list[dict]:
    return [{"image": f"{name}.png", "group": name, **({} if label is None else {"label": label})} for name in names]


@pytest.mark.parametrize("abnormal", ["", "xyz"])
def test_abnormal_training_images_of_a_list_are_counted(tmp_path, abnormal):
    listed = {"training": entries("abc", 0) + entries(abnormal, 1), "validation": entries("d", 0), "test": []}
    (tmp_path / "dataset.json").write_text(json.dumps(listed))
    for name in "abcdxyz":
        (tmp_path / f"{name}.png").touch()
    items = load_datalist(tmp_path, "training")
    assert len(items) == 3 and items.left_out == ({ABNORMAL: 3} if abnormal else {})
    assert load_datalist(tmp_path, "validation").left_out == {}


def test_abnormal_training_images_of_a_tree_are_counted_and_may_be_closed(tmp_path, monkeypatch):
    for place in ("train/normal/a.png", "train/normal/b.png", "Train/abnormal/1/x.png", "val/normal/c.png"):
        path = tmp_path / place.replace("Train", "train")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    assert load_datalist(tmp_path, "training").left_out == {ABNORMAL: 1}

    def refuse(folder, **_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("monai_anomaly.data.lists.left_out.find_images", refuse)
    assert load_datalist(tmp_path, "training").left_out == {}


@pytest.mark.parametrize("options", [{}, {"size": 1}])
def test_pool_images_of_patients_that_are_held_out_are_counted(tmp_path, options):
    listed = {"training": entries("abcdefghij", 0), "unlabeled": []}
    for name in "abcdefghij":
        listed["unlabeled"].append({"image": f"pool_{name}.png", "group": name})
    (tmp_path / "dataset.json").write_text(json.dumps(listed))
    for section in listed.values():
        for entry in section:
            (tmp_path / entry["image"]).touch()
    pool = load_pool(tmp_path, **options)
    assert len(pool) == options.get("size", 9) and pool.left_out == {HELD_OUT: 1}
