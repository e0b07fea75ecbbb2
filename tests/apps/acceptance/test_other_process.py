# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
from PIL import Image

import monai_anomaly as ma
from monai_anomaly.apps.acceptance.repeats import Opened, score_elsewhere
from monai_anomaly.apps.acceptance.scored_image import score_images
from tests.helpers.doors import write_model


def test_a_real_process_gives_the_same_scores(tmp_path):
    model = write_model(tmp_path)
    items = []
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 40), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        items.append({"image": str(tmp_path / f"{number}.png"), "name": str(number), "label": 0, "group": str(number)})
    images = list(score_images(ma.load(model, device="cpu"), items))
    again = score_elsewhere(Opened(str(model), None, 0.1, "cpu", None, "max"), images)
    assert again.reason == "" and again.difference == 0
    assert again.other_threads is not None and again.other_threads < 1e-3
    assert again.threads[0] != again.threads[1]
