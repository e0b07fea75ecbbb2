# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf

from monai_anomaly.guard.gaussian_distance import RANK, GaussianDistance
from monai_anomaly.guard.picture_features import FEATURES, flat_shares, picture_features


def slow_gradients(image: np.ndarray) -> np.ndarray:
    """Histograms of signed directions, (8, 8, 8): direction, row, column; pixel by pixel."""
    padded = np.pad(image, 1, mode="edge")
    cells = np.zeros((8, 8, 8))
    for row in range(64):
        for column in range(64):
            x = padded[row + 1, column + 2] - padded[row + 1, column]
            y = padded[row + 2, column + 1] - padded[row, column + 1]
            place = math.atan2(y, x) / (2 * math.pi) * 8
            first, part = math.floor(place), place - math.floor(place)
            cells[first % 8, row // 8, column // 8] += math.hypot(x, y) * (1 - part) / 64
            cells[(first + 1) % 8, row // 8, column // 8] += math.hypot(x, y) * part / 64
    energy = (cells**2).sum(0)
    around = np.zeros((8, 8))
    for row in range(8):
        for column in range(8):
            around[row, column] = energy[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].mean()
    return cells / np.sqrt(around + 0.01 * around.mean() + 1e-8)


def test_edges_are_those_of_a_slow_loop():
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * torch.linspace(0, 1, 64)
    expected = slow_gradients(image[0, 0].double().numpy())
    np.testing.assert_allclose(picture_features(image)["edges"][0], expected.ravel(), atol=1e-4)


def test_gray_values_are_quantiles_and_octaves_see_blur():
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    features = picture_features(image)["intensity"][0]
    np.testing.assert_allclose(features[:17], np.quantile(image, np.linspace(0, 1, 17), method="nearest"), atol=1e-3)
    blurred = torch.nn.functional.avg_pool2d(image, 3, 1, 1)
    assert picture_features(blurred)["intensity"][0, 17] < features[17] - 1


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 64, 64), (1, 32, 32), (3, 96, 96), (1, 8, 8), (1, 200, 200)])
def test_an_image_has_the_same_features_in_any_batch(shape):
    images = torch.rand(5, *shape, generator=torch.Generator().manual_seed(1))
    together = picture_features(images)
    assert tuple(together) == FEATURES
    for name, vectors in together.items():
        assert torch.isfinite(vectors).all()
        torch.testing.assert_close(picture_features(images[3:4])[name][0], vectors[3], atol=1e-5, rtol=1e-5)


def test_blank_images_have_finite_features():
    for name, vectors in picture_features(torch.full((1, 1, 64, 64), 0.5)).items():
        assert torch.isfinite(vectors).all(), name


def test_flat_shares_do_not_depend_on_brightness_and_contrast():
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    image[..., :16] = 0
    image[..., 16:20, 16:20] = 1
    dark, bright = flat_shares(image)
    assert (float(dark), float(bright)) == (0.25, 16 / 4096)
    for changed in (image * 0.3 + 0.2, image * 5 - 2):
        assert [float(share) for share in flat_shares(changed)] == [0.25, 16 / 4096]
    dark, bright = flat_shares(-image)
    assert (float(dark), float(bright)) == (16 / 4096, 0.25)


@pytest.mark.parametrize("count", [20, 300])
def test_distance_is_mahalanobis_with_ledoit_and_wolf_s_covariance(count):
    cloud = np.random.default_rng(0).normal(size=(count, 12)) @ np.diag(np.linspace(0.1, 3, 12)) + 4
    distance = GaussianDistance.fit(torch.from_numpy(cloud).float(), one_unit=False)
    unit = (cloud - cloud.mean(0)) / cloud.std(0)
    expected = np.sqrt(LedoitWolf(assume_centered=True).fit(unit).mahalanobis(unit) / 12)
    np.testing.assert_allclose(distance(torch.from_numpy(cloud).float()), expected, rtol=1e-3)
    common = np.sqrt((cloud.std(0) ** 2).mean())
    unit = (cloud - cloud.mean(0)) / common
    expected = np.sqrt(LedoitWolf(assume_centered=True).fit(unit).mahalanobis(unit) / 12)
    one_unit = GaussianDistance.fit(torch.from_numpy(cloud).float(), one_unit=True)
    np.testing.assert_allclose(one_unit(torch.from_numpy(cloud).float()), expected, rtol=1e-3)


def test_directions_beyond_the_main_axes_count_alike():
    size = RANK + 40
    cloud = np.random.default_rng(0).normal(size=(500, size)) * np.r_[np.full(RANK, 10.0), np.full(40, 1.0)]
    distance = GaussianDistance.fit(torch.from_numpy(cloud).float(), one_unit=True)
    assert distance.axes.shape == (RANK, size)
    unit = (cloud - cloud.mean(0)) / np.sqrt((cloud.std(0) ** 2).mean())
    variances, axes = np.linalg.eigh(LedoitWolf(assume_centered=True).fit(unit).covariance_)
    variances[:40] = variances[:40].mean()
    expected = np.sqrt(((unit @ axes) ** 2 / variances).mean(1))
    np.testing.assert_allclose(distance(torch.from_numpy(cloud).float()), expected, rtol=1e-3)


def test_a_cloud_without_spread():
    assert torch.isfinite(GaussianDistance.fit(torch.ones(5, 7), one_unit=True)(torch.zeros(2, 7))).all()
