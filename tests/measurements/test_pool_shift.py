# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from measurements.pool_shift import CHANGES, Images, measure


@pytest.mark.parametrize("channels", [1, 3])
def test_each_change_gives_another_picture(channels):
    image = gaussian_filter(np.random.default_rng(0).random((channels, 40, 60)), (0, 1, 1)).astype(np.float32)
    for name, change in CHANGES.items():
        changed = np.asarray(change(image))
        assert changed.shape == ((channels, 20, 30) if name == "half the size" else image.shape), name
        assert np.isfinite(changed).all() and (name == "none") == np.array_equal(changed, image), name


def test_a_changed_pool_is_found_and_so_does_the_detector_find_the_machine():
    random = np.random.default_rng(0)
    pictures = random.random((54, 1, 24, 24)).astype(np.float32)
    features = random.normal(size=(54, 8))
    labels, groups = np.arange(54) // 46, [f"p{i}" for i in range(54)]
    items = [{"group": group} for group in groups]
    plain = Images(torch.from_numpy(pictures), items, features)
    blurred = gaussian_filter(pictures, (0, 0, 1, 1))
    changed = Images(torch.from_numpy(blurred), items, features + 1)
    result = measure(plain, changed, labels, groups, share=0.0, number=1)
    assert str(result).startswith("1 of 1 | 1 of 1 | ") and result.checks[0].real[0].auroc == 1
    assert result.machine[0] > 0.8 and len(result.disease) == 1
