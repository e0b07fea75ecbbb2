# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from monai_anomaly.bundle.pool_checking import compare_pool, write_pool_check
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.transforms.preprocessing import Preprocessing


def data_set(folder, suffix, seed):
    """Return 12 noisy pictures, each of a patient of its own."""
    folder.mkdir()
    random = np.random.default_rng(seed)
    for i in range(12):
        Image.fromarray(random.integers(0, 256, (40, 40), dtype=np.uint8)).save(folder / f"{i}.{suffix}")
    items = [{"image": str(folder / f"{i}.{suffix}"), "name": f"{i}", "group": f"{suffix} {i}"} for i in range(12)]
    return CachedDataset(items, Preprocessing(32), progress=False)


def test_the_file_format_of_a_pool_is_compared(tmp_path):
    normals, pool = data_set(tmp_path / "a", "png", 0), data_set(tmp_path / "b", "bmp", 1)
    found = compare_pool(normals, pool)
    assert "The file format alone separates pool and normals with an AUC of 1.00" in found.warning
    write_pool_check(found, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "pool_check.json").read_text())
    assert written["warning"] == found.warning and str(tmp_path) not in json.dumps(written)
    write_pool_check(None, tmp_path / "out")  # a training without a check
    assert list((tmp_path / "out").iterdir()) == []
    write_pool_check(None, tmp_path / "nowhere")
