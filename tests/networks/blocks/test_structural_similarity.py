# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics.regression import compute_ms_ssim
from skimage.metrics import structural_similarity
from torch import nn

from monai_anomaly.networks.blocks.structural_similarity import MultiScaleSSIM

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# scikit-image derives the window from sigma
SETTINGS = [
    {"image_size": 24, "levels": 1},
    {"image_size": 64},
    {"image_size": 45, "window": 7, "sigma": 0.8},  # 45, 23, 12 pixels
    {"image_size": 33, "window": 3, "sigma": 0.4},  # 33, 17, 9, 5, 3 pixels
    {"image_size": 30, "data_range": 4.5},
    {"image_size": 30, "levels": 1, "data_range": 255.0},
]


def _pair(size, channels=3, batch=2, data_range=1.0, seed=0):
    """Images with coarse structure and fine noise, and others like them."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, channels, 4, 4, generator=generator)
    x = nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    x = 0.7 * x + 0.3 * torch.rand(x.shape, generator=generator)
    y = 0.8 * x + 0.25 * torch.rand(x.shape, generator=generator)
    return data_range * x, data_range * y


def _halve(x):
    """Means of 2 x 2 pixels, of fewer at the end of an odd side; one channel."""
    side = -(-len(x) // 2)
    return np.array([[x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(side)] for i in range(side)])


def _ssim(x, y, luminance=True, data_range=1.0, window=11, sigma=1.5, **_):
    """Map where the window fits, of one channel; a huge K1 makes the luminance 1."""
    options = {} if luminance else {"K1": 1e6}
    _, result = structural_similarity(
        x,
        y,
        win_size=window,
        gaussian_weights=True,
        sigma=sigma,
        use_sample_covariance=False,
        data_range=data_range,
        full=True,
        **options,
    )
    border = window // 2
    return result[border:-border, border:-border]


def _levels_by_hand(x, y, levels):
    """The channels of one image at each level, finest first."""
    pairs = [list(zip(x.double().numpy(), y.double().numpy(), strict=True))]
    for _ in range(levels - 1):
        pairs.append([(_halve(a), _halve(b)) for a, b in pairs[-1]])
    return pairs


def _similarity_by_hand(x, y, levels, **options):
    """One image, in float64."""
    result = 1.0
    for level, channels in enumerate(_levels_by_hand(x, y, levels)):
        mean = np.mean([_ssim(a, b, level == levels - 1, **options) for a, b in channels])
        result *= max(mean, 0.0) ** (WEIGHTS[level] / sum(WEIGHTS[:levels]))
    return result


def _map_by_hand(x, y, levels, image_size, window=11, **options):
    """One image, in float64."""
    result = np.zeros((image_size, image_size))
    for level, channels in enumerate(_levels_by_hand(x, y, levels)):
        maps = [1.0 - np.maximum(_ssim(a, b, window=window, **options), 0.0) for a, b in channels]
        small = np.pad(np.mean(maps, axis=0), window // 2, mode="edge")
        large = np.kron(small, np.ones((2**level, 2**level)))[:image_size, :image_size]
        result += WEIGHTS[level] / sum(WEIGHTS[:levels]) * large
    return result


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("options", SETTINGS)
def test_equals_scikit_image_level_by_level(options, channels):
    module = MultiScaleSSIM(**options)
    x, y = _pair(options["image_size"], channels, data_range=options.get("data_range", 1.0))
    expected = [_similarity_by_hand(a, b, **{**options, "levels": module.levels}) for a, b in zip(x, y, strict=True)]
    result = module(x, y)
    assert result.shape == (2,) and result.dtype == torch.float32
    assert max(expected) < 0.95
    np.testing.assert_allclose(result, expected, rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("options", SETTINGS)
def test_map_equals_scikit_image_level_by_level(options, channels):
    module = MultiScaleSSIM(**options)
    x, y = _pair(options["image_size"], channels, data_range=options.get("data_range", 1.0))
    y[:, :, :12, :12] = x[:, :, :12, :12].amax() - x[:, :, :12, :12]  # SSIM is negative here
    expected = [_map_by_hand(a, b, **{**options, "levels": module.levels}) for a, b in zip(x, y, strict=True)]
    result = module.dissimilarity_map(x, y)
    assert result.shape == (2, 1, *x.shape[2:]) and result.dtype == torch.float32
    np.testing.assert_allclose(result[:, 0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("size", "levels"), [(24, 1), (48, 3), (176, 5)])
def test_equals_monai_where_that_takes_the_size(size, levels):
    module = MultiScaleSSIM(size, levels=levels)
    x, y = _pair(size, channels=1 if size > 100 else 3)
    expected = compute_ms_ssim(x, y, spatial_dims=2, weights=module.shares)[:, 0]
    torch.testing.assert_close(module(x, y), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "window", "levels"),
    [
        *((11, 11, 1), (20, 11, 1), (21, 11, 2), (32, 11, 2), (40, 11, 2), (41, 11, 3), (64, 11, 3), (81, 11, 4)),
        *((160, 11, 4), (161, 11, 5), (176, 11, 5), (256, 11, 5), (32, 3, 4), (33, 3, 5), (3, 3, 1)),
    ],
)
def test_has_as_many_levels_as_the_image_allows(size, window, levels):
    module = MultiScaleSSIM(size, window=window)
    assert module.levels == levels
    np.testing.assert_allclose(module.shares, np.array(WEIGHTS[:levels]) / sum(WEIGHTS[:levels]))
    assert sum(module.shares) == pytest.approx(1.0)
    x, y = _pair(size, channels=1, batch=1)
    assert 0.0 < float(module(x, y)) < 1.0
    assert module.dissimilarity_map(x, y).shape == x.shape


@pytest.mark.parametrize("image", ["noise", "black", "white", "gray"])
def test_equal_images_have_similarity_one_and_an_empty_map(image):
    flat = {"black": 0.0, "white": 1.0, "gray": 0.3}
    x = _pair(32)[0] if image == "noise" else torch.full((2, 3, 32, 32), flat[image])
    module = MultiScaleSSIM(32)
    torch.testing.assert_close(module(x, x), torch.ones(2), rtol=0.0, atol=1e-6)
    assert module.dissimilarity_map(x, x).abs().max() <= 1e-6


@pytest.mark.parametrize("level", [0.3, 0.8, 1.0])
def test_float32_is_enough_for_bright_smooth_images(level):
    x = torch.full((1, 1, 32, 32), level) + 0.02 * torch.linspace(0.0, 1.0, 32)
    y = 0.97 * x
    expected = _map_by_hand(x[0], y[0], levels=2, image_size=32)
    np.testing.assert_allclose(MultiScaleSSIM(32).dissimilarity_map(x, y)[0, 0], expected, rtol=0.0, atol=2e-6)


def test_is_symmetric():
    module, (x, y) = MultiScaleSSIM(32), _pair(32)
    torch.testing.assert_close(module(x, y), module(y, x))
    torch.testing.assert_close(module.dissimilarity_map(x, y), module.dissimilarity_map(y, x))


def test_falls_with_the_strength_of_noise_and_does_not_depend_on_the_unit():
    x, _ = _pair(32)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    results = torch.stack([MultiScaleSSIM(32)(x, x + strength * noise) for strength in (0.0, 0.02, 0.1, 0.5)])
    assert (results.diff(dim=0) < 0.0).all()
    in_bytes = MultiScaleSSIM(32, data_range=255.0)(255.0 * x, 255.0 * (x + 0.1 * noise))
    torch.testing.assert_close(in_bytes, results[2], rtol=1e-4, atol=1e-5)


def test_map_says_where_in_which_image():
    x, _ = _pair(64)
    y = x.clone()
    y[1, :, 40:50, 8:18] = 1.0 - y[1, :, 40:50, 8:18]
    result = MultiScaleSSIM(64).dissimilarity_map(x, y)[:, 0]
    assert result.min() >= 0.0 and result.max() <= 1.0
    assert result[0].max() <= 1e-6
    assert result[1, 40:50, 8:18].mean() > 5.0 * result[1].mean()
    assert result[1, :16, 48:].max() <= 1e-6  # further than the reach of the coarsest window, 10 pixels of 4


@pytest.mark.parametrize("level", [0, 1])
def test_map_repeats_the_outermost_values(level):
    module, (x, y) = MultiScaleSSIM(40, levels=2), _pair(40)
    module.shares = (1.0, 0.0) if level == 0 else (0.0, 1.0)
    result = module.dissimilarity_map(x, y)
    border = 5 * 2**level
    inner = result[:, :, border:-border, border:-border]
    torch.testing.assert_close(result, nn.functional.pad(inner, [border] * 4, mode="replicate"))
    assert inner.std() > 0.01


def test_gradient_agrees_with_finite_differences_of_scikit_image():
    x, y = _pair(24, channels=2, batch=1)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    y.requires_grad_()
    MultiScaleSSIM(24)(x, y).sum().backward()
    around = [_similarity_by_hand(x[0], (y.detach().double() + step * direction)[0], 2) for step in (1e-5, -1e-5)]
    assert float((y.grad * direction).sum()) == pytest.approx((around[0] - around[1]) / 2e-5, rel=1e-4)


def _extremes():
    x, _ = _pair(32)
    flat = torch.full_like(x, 0.5)
    return {
        "equal": (x, x.clone()),
        "negatives": (x, 1.0 - x),
        "opposite signs": (x - 0.5, 0.5 - x),
        "equal constants": (flat, flat.clone()),
        "constants": (flat, 0.1 * flat),
        "black and white": (torch.zeros_like(x), torch.ones_like(x)),
        "constant and image": (flat, x),
        "black and image": (torch.zeros_like(x), x),
    }


@pytest.mark.parametrize("name", list(_extremes()))
def test_gradient_is_finite(name):
    x, y = _extremes()[name]
    y = y.clone().requires_grad_()
    module = MultiScaleSSIM(32)
    similarity = module(x, y)
    (gradient,) = torch.autograd.grad(similarity.sum(), y)
    (of_map,) = torch.autograd.grad(module.dissimilarity_map(x, y).sum(), y)
    assert torch.isfinite(similarity).all() and torch.isfinite(gradient).all() and torch.isfinite(of_map).all()
    assert (similarity > 0.0).all() and (similarity <= 1.0 + 1e-6).all()
    if name == "equal":
        assert gradient.abs().max() <= 1e-4  # the largest value
    if name == "constant and image":
        assert gradient.abs().max() > 1e-6


def test_level_that_is_unlike_leaves_the_gradient_of_the_others():
    x, _ = _pair(64, channels=1)
    x = nn.functional.interpolate(nn.functional.avg_pool2d(x, 8), scale_factor=8.0, mode="bilinear")
    texture = 0.4 * ((torch.arange(64)[:, None] + torch.arange(64)) % 2).float() - 0.2  # gone after halving
    y = (0.9 * x - texture).requires_grad_()
    similarity = MultiScaleSSIM(64)(x + texture, y)
    similarity.sum().backward()
    assert y.grad.abs().max() > 1e-6
    # the clamp is of 1e-4; the coarser levels are nearly alike
    share = WEIGHTS[0] / sum(WEIGHTS[:3])
    np.testing.assert_allclose(similarity.detach(), 1e-4**share, rtol=0.05)


def test_image_has_the_same_result_in_any_batch_and_memory_format():
    module, (x, y) = MultiScaleSSIM(32), _pair(32, batch=4)
    for function in (module, module.dissimilarity_map):
        whole = function(x, y)
        single = torch.cat([function(a[None], b[None]) for a, b in zip(x, y, strict=True)])
        torch.testing.assert_close(single, whole)
        last = function(x.to(memory_format=torch.channels_last), y.to(memory_format=torch.channels_last))
        torch.testing.assert_close(last, whole)


def test_is_float32_under_autocast_and_for_half_precision():
    module, (x, y) = MultiScaleSSIM(32), _pair(32)
    for function in (module, module.dissimilarity_map):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            torch.testing.assert_close(function(x, y), function(x, y).float(), rtol=0.0, atol=0.0)
            result = function(x, y)
        torch.testing.assert_close(result, function(x, y))
        half = function(x.half(), y.half())
        torch.testing.assert_close(half, function(x.half().float(), y.half().float()))


def test_torchscript_gives_the_same_and_nothing_is_saved():
    module, (x, y) = MultiScaleSSIM(32), _pair(32)
    scripted = torch.jit.script(module)
    torch.testing.assert_close(scripted(x, y), module(x, y))
    torch.testing.assert_close(scripted.dissimilarity_map(x, y), module.dissimilarity_map(x, y))
    assert not module.state_dict() and not list(module.parameters())


class _Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.similarity = MultiScaleSSIM(13, window=5)  # 13 and 7 pixels

    def forward(self, x, y):
        return self.similarity(x, y), self.similarity.dissimilarity_map(x, y)


def test_trace_gives_the_same_for_any_batch():
    module, (x, y) = _Both(), _pair(13, batch=5)
    traced = torch.jit.trace(module, (x[:2], y[:2]))
    torch.testing.assert_close(traced(x, y), module(x, y))


def test_onnx_gives_the_same_for_any_batch(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
    module, (x, y) = _Both(), _pair(13, batch=5)
    file, batch = str(tmp_path / "similarity.onnx"), {0: torch.export.Dim("batch", max=64)}
    torch.onnx.export(module, (x[:2], y[:2]), file, dynamo=True, dynamic_shapes=(batch, batch), verbose=False)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    results = session.run(None, dict(zip(names, (x.numpy(), y.numpy()), strict=True)))
    for result, expected in zip(results, module(x, y), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data_range": 0.0}, "data_range and sigma must be positive"),
        ({"sigma": -1.0}, "data_range and sigma must be positive"),
        ({"sigma": float("nan")}, "data_range and sigma must be positive"),
        ({"data_range": float("inf")}, "data_range and sigma must be positive"),
        ({"window": 10}, "window must be odd and at least 3, got 10"),
        ({"window": 1}, "window must be odd and at least 3, got 1"),
        ({"image_size": 10}, "window must fit into the image of side 10, got 11"),
        ({"levels": 3}, r"levels must lie in \[1, 2\] for images of side 32 and a window of 11, got 3"),
        ({"levels": 0}, r"levels must lie in \[1, 2\]"),
    ],
)
def test_refuses_arguments_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        MultiScaleSSIM(**{"image_size": 32, **options})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((2, 3, 32, 32), (2, 1, 32, 32)),
        ((2, 3, 32, 32), (1, 3, 32, 32)),
        ((2, 3, 16, 16), (2, 3, 16, 16)),
        ((2, 3, 32, 16), (2, 3, 32, 16)),
        ((3, 32, 32), (3, 32, 32)),
    ],
)
def test_refuses_images_of_another_shape(first, second):
    module = MultiScaleSSIM(32)
    for function in (module, module.dissimilarity_map):
        with pytest.raises(ValueError, match=r"must both be \(B, C, 32, 32\)"):
            function(torch.rand(first), torch.rand(second))
