# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.pool import UNLABELLED, with_pool

VALIDATION = [{"image": f"{i}.png", "label": label, "index": i} for i, label in enumerate((0, 1, 0))]


def test_normals_come_first_and_no_label_of_the_pool_is_kept(tmp_path):
    for name in ("test/normal/a.png", "test/abnormal/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"not read here")
    items = with_pool(VALIDATION, tmp_path, source_names=True)
    assert [item["label"] for item in items] == [0, 0, UNLABELLED, UNLABELLED]
    assert {item["name"] for item in items[2:]} == {"test/normal/a.png", "test/abnormal/b.png"}
    assert len({item["index"] for item in items}) == 4
    assert VALIDATION[1]["label"] == 1


def test_no_pool_and_no_normals_are_one_clear_sentence(tmp_path):
    with pytest.raises(DataListError, match="--pool_dir"):
        with_pool(VALIDATION, None)
    with pytest.raises(DataListError, match="no normal images"):
        with_pool(VALIDATION[1:2], tmp_path)
    with pytest.raises(DataListError, match="no files"):
        with_pool(VALIDATION, tmp_path)
