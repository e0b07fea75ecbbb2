# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The page on Python: its blocks run, one after the other, in one folder; its table is that of the function."""

from __future__ import annotations

import inspect
import re

import numpy as np
import torch
from PIL import Image

import monai_anomaly as ma
from tests.helpers.dicom_files import make_dataset, save
from tests.helpers.doors import calibrate, write_model
from tests.helpers.repository import ROOT

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)


def test_the_blocks_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    (tmp_path / "models").mkdir()
    calibrate(write_model(tmp_path / "models"))
    save(tmp_path / "image.dcm", make_dataset(pixels[0]))
    (tmp_path / "folder").mkdir()
    for number in (1, 2):
        Image.fromarray(pixels[number]).save(tmp_path / "folder" / f"{number}.png")
    names: dict = {}
    threads = torch.get_num_threads()
    try:
        for block in BLOCKS:
            exec(compile(block, "python.md", "exec"), names)
    finally:
        torch.set_num_threads(threads)
    printed = capsys.readouterr().out
    assert printed.startswith("Result(") and "1.png " in printed and "not_found\n" in printed
    assert Image.open("overlay.png").size == (64, 64)
    assert len(set(names["scores"])) == 1 and names["record"]["status"] == "scored"
    assert len(names["results"]) == 3


def test_the_first_block_has_three_lines_before_it_prints():
    lines = [line for line in BLOCKS[0].splitlines() if line and not line.startswith("print")]
    assert len(lines) == 3


def test_the_table_is_the_functions():
    rows = re.findall(r"^\| `(\w+)` \| `?([^`|]+?)`? \|", PAGE, flags=re.M)
    known = [p for p in inspect.signature(ma.load).parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert rows == [(p.name, repr(p.default).replace("'", '"')) for p in known]
