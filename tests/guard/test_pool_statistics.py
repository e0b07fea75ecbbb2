# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import skew

from monai_anomaly.guard.pool_statistics import (
    image_statistics,
    origin_statistics,
    picture_statistics,
    year_statistics,
)


def pictures(count: int = 4, side: int = 64) -> torch.Tensor:
    """Smooth gray pictures with a little noise."""
    random = np.random.default_rng(0)
    smooth = gaussian_filter(random.random((count, 1, side, side)), (0, 0, 3, 3)) * 5
    return torch.from_numpy(smooth + 0.01 * random.normal(size=smooth.shape)).float()


def test_contrast_and_brightness_change_no_statistic_of_the_image():
    images = pictures()
    for name, values in image_statistics(3 * images - 1).items():
        np.testing.assert_allclose(values, image_statistics(images)[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_each_statistic_is_what_it_says():
    images = pictures()
    plain = image_statistics(images)
    np.testing.assert_allclose(plain["gray-value skewness"], skew(images.flatten(1).numpy(), axis=1), rtol=1e-3)
    blurred = image_statistics(torch.from_numpy(gaussian_filter(images.numpy(), (0, 0, 1, 1))))
    assert (blurred["sharpness"] < plain["sharpness"]).all() and (blurred["noise"] < plain["noise"] / 2).all()
    framed = images.clone()
    framed[..., :4, :] = framed[..., -4:, :] = framed[..., :4] = framed[..., -4:] = images.min()
    dark = image_statistics(framed)
    assert (dark["brightness of the border"] < plain["brightness of the border"]).all()
    assert (dark["detail in the border"] < 1e-3).all() and (dark["share of darkest pixels"] > 0.2).all()
    lettered = images.clone()
    lettered[..., 10:20, 10:20] = 2 * images.max()
    assert (image_statistics(lettered)["share of brightest pixels"] >= 100 / 64**2).all()


def test_noise_is_that_of_a_known_deviation():
    noise = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    # the response of the kernel to white noise has 6/6 of its deviation, whose median without sign is .6745
    assert image_statistics(noise)["noise"][0] == pytest.approx(0.6745, rel=0.02)


@pytest.mark.parametrize("images", [torch.zeros(2, 1, 32, 32), torch.rand(2, 3, 8, 8), torch.rand(1, 1, 32, 48)])
def test_flat_small_and_colored_images_have_finite_statistics(images):
    for name, values in image_statistics(images).items():
        assert values.shape == (len(images),) and np.isfinite(values).all(), name


def test_statistics_of_the_files_need_those_of_every_file():
    facts = {"rows": 200, "columns": 100, "gray_mean": 0.4, "gray_std": 0.2, "gray_zero": 0.1, "gray_step": 0.05}
    found = picture_statistics([facts, facts | {"rows": 50, "colored": 0.3}])
    assert found["aspect ratio"].tolist() == [2, 0.5] and found["share of colored pixels"].tolist() == [0, 0.3]
    assert found["sharpness of the file"].tolist() == [0.25, 0.25]
    assert picture_statistics([facts, {"rows": 0, "columns": 0}]) == {} == picture_statistics([facts, {}])


def test_what_is_not_known_of_any_picture_is_named_and_of_some_is_unknown():
    known = {"rows": 2, "columns": 3, "device_hash": "abc", "file_format": "PNG", "photometric": "L", "modality": ""}
    found, unknown = origin_statistics([known, {"rows": 2, "columns": 3}])
    assert found["picture size"] == ["2 x 3"] * 2 and found["device"] == ["abc", "unknown"]
    assert unknown == ["modality"]
    assert origin_statistics([{}])[0] == {}


def test_years_are_compared_where_all_are_known():
    assert year_statistics([{"year": 2019}, {"year": 2024}])["year"].tolist() == [2019, 2024]
    assert year_statistics([{"year": 2019}, {"year": 0}]) == {} == year_statistics([{"year": 2019}, {}])
