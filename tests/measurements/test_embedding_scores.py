# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from measurements.embedding_scores import draw_share, main

LABELS = [0] * 8 + [1] * 20


@pytest.mark.parametrize(("share", "normal", "abnormal"), [(None, 8, 20), (0.0, 8, 0), (0.2, 8, 2), (0.8, 5, 20)])
def test_a_share_is_drawn_from_all_of_the_kind_that_is_short(share: float | None, normal: int, abnormal: int):
    drawn = draw_share(LABELS, share, seed=1)
    assert len(set(drawn)) == len(drawn)
    assert [sum(LABELS[i] == y for i in drawn) for y in (0, 1)] == [normal, abnormal]
    assert draw_share(LABELS, share, seed=1) == drawn


def test_another_seed_draws_others():
    assert draw_share(LABELS, 0.2, seed=1) != draw_share(LABELS, 0.2, seed=2)


def _data_set(folder: Path) -> None:
    """Noise, brighter in a corner where it is abnormal."""
    rows = []
    generator = np.random.default_rng(0)
    for section, normal, abnormal in (("train", 9, 0), ("val", 4, 4), ("test", 8, 10)):
        for i in range(normal + abnormal):
            pixels = generator.integers(0, 100, (32, 32), dtype=np.uint8)
            label = int(i >= normal)
            pixels[:16, :16] += np.uint8(120 * label)
            name = f"{section}{i}.png"
            Image.fromarray(pixels).save(folder / name)
            rows.append([name, label, section, f"p{section}{i}"])
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "label", "split", "group"], *rows])


@pytest.mark.parametrize("section", ["test", "validation"])
def test_all_cases_of_a_data_set_are_measured(tmp_path: Path, capsys, section: str):
    (tmp_path / "set").mkdir()
    _data_set(tmp_path / "set")
    options = ["--seeds", "1", "--splits", "1", "--weights", "random", "--detector", "image_size=32"]
    where = ["--section", section, "--json", str(tmp_path / "found.json")]
    with pytest.warns(UserWarning, match="random backbone weights"):
        assert main([str(tmp_path / "set"), *options, *where]) == 0
    found = json.loads((tmp_path / "found.json").read_text())["set"]
    cases = ["no pool, all", "no pool", "as it comes", "0.5", "0.3", "0.1", "0.05", "0"]
    assert list(found) == cases
    assert [len(found[case]) for case in cases] == [1] * 8
    assert all(0 <= result["auroc"] <= 1 for case in cases for result in found[case])
    assert found["no pool"][0]["pool"] == 0 and math.isnan(found["no pool"][0]["estimate"])
    assert all(result["share"] == 0 for result in found["0"])
    table = capsys.readouterr().out
    assert f"| ROC AUC, {section} | set | mean |" in table and "| contrast alone, as it comes |" in table
