# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from measurements.cine_timing import main
from tests.helpers.dicom_files import make_dataset, save

FRAMES = np.random.default_rng(0).integers(0, 256, (4, 16, 20), dtype=np.uint8)


def test_ratio_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = save(tmp_path / "a.dcm", make_dataset(FRAMES))
    assert main([str(path), "--rounds=2", f"--json={tmp_path / 'numbers.json'}"]) == 0
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert set(numbers) == {"cine_rgb", "cine_gray"}
    assert all(len(n["ratios"]) == 2 and math.isfinite(n["ratio_median"]) for n in numbers.values())
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()[1:]] == [
        "4 frames, RGB",
        "4 frames, gray",
    ]


def test_pydicom_s_cine_is_the_default(capsys: pytest.CaptureFixture[str]):
    assert main(["--rounds=1"]) == 0
    assert "30 frames, RGB" in capsys.readouterr().out


def test_what_is_no_dicom_cine(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    Image.fromarray(FRAMES[0]).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", tmp_path / "none.dcm"):
        assert main([str(path)]) == 1
        assert "cine cannot be read" in capsys.readouterr().err
