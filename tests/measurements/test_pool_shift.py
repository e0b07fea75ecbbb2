# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from measurements.pool_shift import CHANGES, main


@pytest.mark.parametrize("channels", [1, 3])
def test_each_change_gives_another_picture(channels):
    image = gaussian_filter(np.random.default_rng(0).random((channels, 40, 60)), (0, 1, 1)).astype(np.float32)
    for name, change in CHANGES.items():
        changed = np.asarray(change(image))
        assert changed.shape == ((channels, 20, 30) if name == "half the size" else image.shape), name
        assert np.isfinite(changed).all() and (name == "none") == np.array_equal(changed, image), name


def test_a_blurred_pool_is_found_and_an_equal_one_is_not(tmp_path, capsys, recwarn, monkeypatch):
    monkeypatch.setattr("measurements.pool_shift.SIZE", 32)
    random = np.random.default_rng(0)
    rows = [("file", "label", "split", "group")]
    for i in range(70):
        name = f"{i}.png"
        Image.fromarray(random.integers(0, 256, (40, 40), dtype=np.uint8)).save(tmp_path / name)
        rows.append((name, i // 54, "train" if i < 50 else "test", f"p{i}"))
    with open(tmp_path / "labels.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    words = ["--splits", "1", "--plain", "1", "--weights", "random", "--changes", "none", "blur, 1.5 pixels"]
    main([str(tmp_path), *words])
    told = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()[4:]]
    assert [row[:3] for row in told] == [
        ["0 %", "none", "0 of 1"],
        ["50 %", "none", "0 of 1"],
        ["0 %", "blur, 1.5 pixels", "1 of 1"],
        ["50 %", "blur, 1.5 pixels", "1 of 1"],
    ]
    assert told[0][8] == "" and float(told[2][5]) > 0.9 and float(told[2][8]) > 0.9
