# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.transforms import Compose
from scipy.ndimage import correlate1d, gaussian_filter
from scipy.special import ive
from sklearn.metrics import roc_auc_score

from monai_anomaly.transforms.sharpness import EqualizeSharpness, EqualizeSharpnessd, blur, sharpness


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def of(image):
    return float(sharpness(image[None]))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (5, 40)])
@pytest.mark.parametrize("slope", [0.001, 0.02])
def test_sharpness_of_a_ramp(height, width, slope):
    ramp = (slope * torch.arange(width).float()).expand(2, height, width)
    expected = (width - 1) / width / math.sqrt((width**2 - 1) / 12)
    assert of(ramp + 0.1) == pytest.approx(expected, rel=1e-4)
    assert of(ramp.mT + 0.1) == pytest.approx(expected, rel=1e-4)


def test_sharpness_is_what_a_loop_finds():
    images = noise(3, 2, 6, 7)
    found = sharpness(images)
    assert found.shape == (3,)
    for image, value in zip(images.numpy().astype(np.float64), found, strict=True):
        lengths = []
        for plane in image:
            for i in range(6):
                for j in range(7):
                    down = plane[i + 1, j] - plane[i, j] if i < 5 else 0.0
                    across = plane[i, j + 1] - plane[i, j] if j < 6 else 0.0
                    lengths.append(math.hypot(down, across))
        assert float(value) == pytest.approx(sum(lengths) / len(lengths) / image.std(), rel=1e-12)


@pytest.mark.parametrize(("gain", "offset"), [(0.05, 0.9), (0.5, 0.0), (-1.0, 1.0)])
def test_gain_and_offset_change_nothing(gain, offset):
    images = noise(2, 1, 20, 20)
    torch.testing.assert_close(sharpness(gain * images + offset), sharpness(images), rtol=1e-5, atol=0)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_flat_image_has_no_sharpness(value):
    flat = torch.full((1, 9, 9), value)
    assert of(flat) == 0
    assert of(flat + 1e-5 * noise(1, 9, 9)) == 0
    assert EqualizeSharpness(0.01)(flat) is flat


@pytest.mark.parametrize("shape", [(3, 9), (1, 1, 2, 9, 9)])
def test_sharpness_takes_batches(shape):
    with pytest.raises(ValueError, match=r"shape \(N, C, H, W\)"):
        sharpness(torch.zeros(shape))


@pytest.mark.parametrize("sigma", [0.0, 0.2, 0.8, 2.5])
def test_blur_is_the_discrete_gaussian_with_mirrored_borders(sigma):
    image = noise(2, 24, 30)
    n = np.arange(-23, 24)
    weights = ive(np.abs(n), sigma**2)  # exp(-t) I_n(t), Lindeberg's kernel for t = sigma ** 2
    expected = correlate1d(correlate1d(image.double().numpy(), weights, 1, mode="reflect"), weights, 2, mode="reflect")
    np.testing.assert_allclose(blur(image[None], torch.tensor([sigma]))[0], expected, atol=1e-9)


def test_each_image_has_its_own_blur_and_wide_ones_are_gaussians():
    images = noise(2, 1, 64, 64)
    sigmas = torch.tensor([3.0, 6.0])
    for image, sigma, blurred in zip(images, sigmas, blur(images, sigmas), strict=True):
        expected = gaussian_filter(image[0].double().numpy(), float(sigma), mode="reflect")
        np.testing.assert_allclose(blurred[0], expected, atol=0.002)
        assert blurred.mean() == pytest.approx(float(image.double().mean()), rel=1e-12)


def test_images_of_any_sharpness_come_out_equal():
    images = blur(noise(12, 1, 32, 32).double(), torch.linspace(0, 1.6, 12)).float()
    images = images * torch.linspace(1.0, 0.3, 12)[:, None, None, None]
    before = sharpness(images)
    assert before.max() > 2 * before.min()
    after = sharpness(torch.stack([EqualizeSharpness(0.25)(image) for image in images]))
    torch.testing.assert_close(after, torch.full_like(after, 0.25), rtol=0.002, atol=0)


def test_the_classes_can_no_longer_be_told_apart():
    labels = np.repeat([0, 1], 40)
    images = blur(noise(80, 1, 16, 16), torch.tensor([0.0, 0.6]).repeat_interleave(40))
    assert roc_auc_score(labels, -sharpness(images)) == 1
    equal = sharpness(torch.stack([EqualizeSharpness(0.5)(image) for image in images]))
    assert float(equal.max() / equal.min()) < 1.002
    assert abs(roc_auc_score(labels, -(equal / 0.5 / 0.02).round()) - 0.5) < 0.05  # to 2 %: ties


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("target", [0.7, 0.25, 0.15])
def test_no_smaller_sigma_would_do(seed, target):
    image = noise(1, 24, 24, seed=seed).double()
    result = EqualizeSharpness(target)(image)
    sigmas = torch.linspace(0, 20, 4001)
    steps = sharpness(blur(image.expand(4001, 1, 24, 24), sigmas))
    first = int((steps <= target).nonzero()[0])
    assert of(result) <= target
    smaller, enough = blur(image.expand(2, 1, 24, 24), sigmas[first - 1 : first + 1])
    assert 0.999 * of(enough) <= of(result) <= of(smaller)


def test_an_image_at_or_below_the_target_stays():
    image = noise(1, 16, 16)
    assert EqualizeSharpness(of(image))(image) is image
    assert EqualizeSharpness(10)(image) is image
    assert not torch.equal(EqualizeSharpness(0.99 * of(image))(image), image)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_range_dtype_and_repetition(dtype):
    image = (noise(3, 20, 14) > 0.5).to(dtype)
    result = EqualizeSharpness(0.6)(image)
    assert result.dtype == dtype and result.shape == image.shape
    assert result.min() >= 0 and result.max() <= 1
    assert torch.equal(result, EqualizeSharpness(0.6)(image))
    assert torch.equal(result, EqualizeSharpness(0.6)(image.numpy()))


def test_channels_share_one_blur():
    image = noise(1, 16, 16).expand(3, 16, 16)
    result = EqualizeSharpness(0.3)(image)
    one = EqualizeSharpness(0.3)(image[:1])
    torch.testing.assert_close(result, one.expand(3, 16, 16), rtol=0, atol=1e-6)


def test_a_faint_image_is_blurred_like_a_strong_one():
    image = noise(1, 32, 32)
    strong, faint = (EqualizeSharpness(0.1)(gain * image) / gain for gain in (1, 0.004))
    torch.testing.assert_close(faint, strong, rtol=0, atol=1e-4)
    assert of(0.004 * strong) == 0  # by then it counts as flat


@pytest.mark.parametrize("gain", [1.0, 0.01])
def test_a_target_that_no_blur_reaches(gain):
    with pytest.raises(ValueError, match=r"No blur .* 16 x 16 .* larger target"):
        EqualizeSharpness(1e-4)(gain * noise(1, 16, 16))


@pytest.mark.parametrize("target", [0, -1.0, math.nan, math.inf, "0.1", True, None])
def test_the_target_is_checked(target):
    with pytest.raises(ValueError, match="sharpness must be a positive number"):
        EqualizeSharpness(target)


def test_the_shape_is_checked():
    with pytest.raises(ValueError, match=r"shape \(C, H, W\)"):
        EqualizeSharpness(0.1)(torch.zeros(8, 8))


def test_dictionary_form():
    image = noise(1, 16, 16)
    item = {"image": image, "other": image, "label": 1}
    result = Compose([EqualizeSharpnessd("image", 0.3)])(item)
    assert torch.equal(result["image"], EqualizeSharpness(0.3)(image))
    assert result["other"] is image and result["label"] == 1 and item["image"] is image
    with pytest.raises(KeyError):
        EqualizeSharpnessd(("image", "pred"), 0.3)(item)
    assert "pred" not in EqualizeSharpnessd(("image", "pred"), 0.3, allow_missing_keys=True)(item)
