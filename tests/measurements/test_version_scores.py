# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from measurements import version_scores
from monai_anomaly.networks.nets.registry import make_detector
from monai_anomaly.utils.checkpoint import save_checkpoint
from tests.helpers.detectors import SMALL
from tests.helpers.pictures import make_gray


@pytest.fixture
def model(tmp_path: Path) -> str:
    torch.manual_seed(0)
    network = {**SMALL["SAGAN"], "in_channels": 1}
    spec = {"detector": "SAGAN", "network": network, "preprocessing": {"image_size": 32, "intensity": "zscore"}}
    save_checkpoint({"model": make_detector(spec).state_dict(), "spec": spec}, tmp_path / "model.pt")
    return str(tmp_path / "model.pt")


def test_enlarged_pictures_differ_by_little_and_small_files_by_nothing(model, tmp_path, capsys):
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        Image.fromarray(make_gray(90, 80, seed=number)).save(tmp_path / "pictures" / f"{number}.jpg")
    said = []
    for more in (["--shape", "400", "480"], ["--as_they_are"]):
        assert version_scores.main([model, str(tmp_path / "pictures"), *more]) == 0
        said.append({name: float(value) for name, value in map(str.split, capsys.readouterr().out.splitlines())})
    assert 0 < said[0]["gray_rms"] < 0.5 and 0 < said[0]["score_max"] < np.inf
    assert said[1]["gray_max"] == said[1]["score_max"] == 0 < said[1]["score_std"]


def test_a_folder_without_pictures(model, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit):
        version_scores.main([model, str(tmp_path / "empty")])
    assert "no picture" in capsys.readouterr().err
