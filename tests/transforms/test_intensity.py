# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.transforms.intensity import INTENSITY_MODES, NormalizeImage


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("mode", INTENSITY_MODES)
def test_a_large_image_is_the_same_with_any_number_of_threads(threads, mode):
    image = torch.rand(3, 300, 300, generator=torch.Generator().manual_seed(0))
    threads(1)
    expected = NormalizeImage(mode)(image)
    for count in (2, 3, 4):
        threads(count)
        assert torch.equal(NormalizeImage(mode)(image), expected)


@pytest.mark.parametrize("side", [64, 128, 300])
def test_zscore_is_mean_0_and_deviation_1(side):
    image = torch.rand(1, side, side, generator=torch.Generator().manual_seed(1)) ** 2
    normalized, exact = NormalizeImage("zscore")(image), image.double()
    expected = (exact - exact.mean()) / exact.std(correction=0)
    torch.testing.assert_close(normalized.double(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", INTENSITY_MODES)
def test_limits_and_apply_are_the_call(mode):
    image = torch.rand(1, 40, 40, generator=torch.Generator().manual_seed(2))
    normalize = NormalizeImage(mode)
    assert torch.equal(normalize.apply(image, *normalize.limits(image)), normalize(image))
