# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from monai_anomaly.data.sets.pooled import PooledDataset
from tests.data.sets.test_paired import NORMALS, POOL, cache


@pytest.fixture
def normals(tmp_path: Path):
    return cache(tmp_path / "n", NORMALS, 0)


def test_the_pool_comes_behind_the_normals_and_its_labels_do_not(tmp_path, normals):
    pool = cache(tmp_path / "u", POOL, 1)  # labeled, for experiments
    data = PooledDataset(normals, pool)
    items = [data[i] for i in range(len(data))]
    assert data.sizes == (NORMALS, POOL) and len(items) == NORMALS + POOL
    assert [set(item) for item in items] == [{"image", "row", "label"}] * len(items)
    assert [item["row"] for item in items] == list(range(len(items)))
    assert [item["label"] for item in items] == [0] * NORMALS + [-1] * POOL
    assert torch.equal(torch.stack([item["image"] for item in items]), torch.cat([normals.images[:], pool.images[:]]))
    items[0]["image"].zero_()
    assert normals.images[0].any()


def test_without_a_pool_there_are_the_normals(normals):
    data = PooledDataset(normals)
    assert data.sizes == (NORMALS, 0) and len(data) == NORMALS and data[NORMALS - 1]["label"] == 0


def test_two_shapes_are_refused(tmp_path, normals):
    with pytest.raises(ValueError, match=r"shape of the normals, \(1, 16, 16\), got \(1, 8, 8\)"):
        PooledDataset(normals, cache(tmp_path / "u", POOL, -1, side=8))


def test_images_of_whom_nobody_knows_are_of_patients_of_their_own(normals):
    assert normals.groups == ["g"] * NORMALS
    for item in normals.items:
        del item["group"]
    assert normals.groups == [f"n{row}" for row in range(NORMALS)]
