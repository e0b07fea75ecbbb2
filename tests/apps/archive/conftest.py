# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A detector that nobody trained, and pictures for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.doors import calibrate, write_model


@pytest.fixture(scope="session")
def model(make_once) -> Path:
    """Return a small detector with a guard, calibrated, for all processes of the tests."""

    def make(folder: Path) -> None:
        calibrate(write_model(folder))

    return make_once("archive-model", make) / "model.pt"


@pytest.fixture(scope="session")
def pictures(make_once) -> Path:
    """Return a folder of nine pictures of noise in two folders, and a file that is none."""

    def make(folder: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (9, 40, 56), dtype=np.uint8)
        for number, gray in enumerate(noise):
            path = folder / "ab"[number % 2] / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(gray).save(path)
        (folder / "a" / "broken.png").write_bytes((folder / "a" / "0.png").read_bytes()[:900])

    return make_once("archive-pictures", make)
