# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from monai_anomaly.networks.nets.sagan.sagan import POOLINGS, SAGAN
from tests.helpers.onnx_runs import run_as_onnx
from tests.helpers.sagan_detectors import (
    GENERATOR,
    SIZE,
    change_of,
    changed,
    make_detector,
    make_images,
    position_of,
    smoothed,
    state,
    sums_of,
)

COUNT = 12
RANGES = [(0.0, 1.0), (-3.0, 2.0)]
CASES = [("mean", False), ("focal", False), ("either", False), ("mean", True), ("focal", True), ("either", True)]
"""Pooling and per_position."""


class Made(nn.Module):
    """A generator that restores as told."""

    def __init__(self, restored):
        super().__init__()
        self.restored = restored

    def forward(self, x):
        return self.restored(x)


def with_generator(restored, pooling="mean", **options):
    detector = make_detector(pooling, fitted=False, **options)
    detector.generator = Made(restored)
    return detector


def scores(detector, images):
    with torch.no_grad():
        return detector(images).mean(dim=(1, 2, 3))


# ---- map and score ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("pooling", POOLINGS)
@torch.no_grad()
def test_map_has_the_shape_and_type_of_the_contract(pooling, channels):
    detector = make_detector(pooling, channels)
    images = make_images(detector, 5)
    result = detector(images)
    assert result.shape == (5, 1, SIZE, SIZE)
    assert result.dtype == torch.float32
    assert torch.isfinite(result).all()
    assert detector.reconstruct(images).shape == images.shape
    change, raw = detector.judge(images)
    assert change.shape == result.shape
    assert raw.shape == (5, 2 if pooling == "either" else 1)


@pytest.mark.parametrize("value_range", RANGES)
@pytest.mark.parametrize(("pooling", "per_position"), CASES)
@torch.no_grad()
def test_mean_of_the_map_is_the_score_and_its_shape_that_of_the_change(pooling, per_position, value_range):
    options = {"fraction": 0.03, "smoothing": 7}
    detector = make_detector(pooling, 2, value_range=value_range, per_position=per_position, **options)
    images = make_images(detector)
    maps, (changes, raws) = detector(images).double().numpy()[:, 0], detector.judge(images)
    for image, result, got, raw in zip(images, maps, changes, raws, strict=True):
        change = change_of(detector, image)
        mean, std = position_of(detector)
        sums = sums_of(change, pooling, **options, position=(mean, std))
        np.testing.assert_allclose(raw, sums, rtol=1e-3, atol=1e-5)
        if pooling == "mean":
            np.testing.assert_allclose(result, change, rtol=1e-4, atol=1e-5)
            continue
        local = (smoothed(change, 7) - mean) / std if per_position else change
        np.testing.assert_allclose(got[0], local, rtol=1e-3, atol=1e-4)
        score = np.arcsinh(max((sums - detector.score_mean.numpy()) / detector.score_std.numpy()))
        assert result.mean() == pytest.approx(score, rel=1e-3, abs=1e-3)
        expected = (local - local.mean()) / (1.0 if per_position else float(detector.score_std[0]))
        np.testing.assert_allclose(result - result.mean(), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("pooling", POOLINGS)
@torch.no_grad()
def test_before_the_fit_the_score_is_the_plain_sum(pooling):
    detector = make_detector(pooling, fitted=False)
    images = make_images(detector)
    expected = np.array([sums_of(change_of(detector, image), pooling).max() for image in images])
    if pooling != "mean":
        expected = np.arcsinh(expected)
    np.testing.assert_allclose(scores(detector, images), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("fraction", "smoothing"), [(1e-6, 1), (1e-6, 9), (0.5, 1), (1.0, 31), (2.5 / SIZE**2, 3), (3.5 / SIZE**2, 3)]
)
@torch.no_grad()
def test_focal_at_the_ends_of_its_arguments(fraction, smoothing):
    detector = make_detector("focal", fitted=False, fraction=fraction, smoothing=smoothing)
    images = make_images(detector)
    changes, raws = detector.judge(images)
    for change, raw in zip(changes[:, 0].double().numpy(), raws, strict=True):
        np.testing.assert_allclose(raw, sums_of(change, "focal", fraction=fraction, smoothing=smoothing), rtol=1e-5)
    if (fraction, smoothing) == (1e-6, 1):
        assert torch.equal(raws[:, 0], changes.amax(dim=(1, 2, 3)))


@torch.no_grad()
def test_the_box_repeats_the_border():
    """Written out pixel by pixel: what lies outside of the image is its nearest pixel."""
    detector = make_detector("focal", smoothing=5)
    change = torch.rand(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    smooth = detector._smooth(change)

    def near(place):
        return [min(max(place + step, 0), SIZE - 1) for step in range(-2, 3)]

    for row in (0, 1, 2, 17, SIZE - 2, SIZE - 1):
        for column in (0, 1, 9, SIZE - 1):
            expected = sum(float(change[0, 0, i, j]) for i in near(row) for j in near(column)) / 25.0
            assert float(smooth[0, 0, row, column]) == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def test_either_is_the_larger_of_both_standardized():
    detector = make_detector("either", fitted=False)
    images = make_images(detector, 40)
    detector.fit_scores(images)
    raw = np.stack([sums_of(change_of(detector, image), "either") for image in images])
    both = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    np.testing.assert_allclose(scores(detector, images), np.arcsinh(both.max(axis=1)), rtol=1e-3, atol=1e-3)
    assert set(both.argmax(axis=1)) == {0, 1}


# ---- the published score ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value_range", RANGES)
def test_an_image_that_stays_has_score_0_and_black_made_white_1(value_range):
    black, white = (torch.full((2, 1, SIZE, SIZE), value) for value in value_range)
    noise = torch.empty(2, 1, SIZE, SIZE).uniform_(*value_range, generator=torch.Generator().manual_seed(0))
    same, opposite = (with_generator(restored, value_range=value_range) for restored in (lambda x: x, lambda x: -x))
    for images in (black, white, noise):
        assert torch.equal(same(images), torch.zeros(2, 1, SIZE, SIZE))
    for images in (black, white):
        torch.testing.assert_close(opposite(images), torch.ones(2, 1, SIZE, SIZE))
        torch.testing.assert_close(scores(opposite, images), torch.ones(2))
    torch.testing.assert_close(opposite(noise), opposite.signal(noise).abs())


@pytest.mark.parametrize("output", ["tanh", "additive"])
@torch.no_grad()
def test_without_a_residual_only_the_tanh_is_left(output):
    detector = make_detector(generator={"output": output})
    detector.generator.head.weight.zero_()
    images = make_images(detector)
    x = 2.0 * images - 1.0
    expected = torch.zeros_like(x) if output == "additive" else (x - x.tanh()).abs() / 2.0
    torch.testing.assert_close(detector(images), expected)
    assert bool((expected > 1e-3).any()) == (output == "tanh")


@torch.no_grad()
def test_nothing_is_clipped_outside_of_the_range():
    detector = with_generator(torch.zeros_like)
    far = torch.full((1, 1, SIZE, SIZE), 3.0)  # 5 for the generator
    torch.testing.assert_close(scores(detector, far), torch.tensor([2.5]))


@pytest.mark.parametrize("pooling", POOLINGS)
@torch.no_grad()
def test_the_images_range_changes_neither_score_nor_picture(pooling):
    plain, wide = make_detector(pooling), make_detector(pooling, value_range=(-3.0, 2.0))
    images = make_images(plain)
    shown = images * 5.0 - 3.0
    torch.testing.assert_close(wide.signal(shown), plain.signal(images))
    torch.testing.assert_close(wide.unsignal(wide.signal(shown)), shown)
    torch.testing.assert_close(plain.signal(torch.tensor([0.0, 0.5, 1.0])), torch.tensor([-1.0, 0.0, 1.0]))
    torch.testing.assert_close(wide.reconstruct(shown), plain.reconstruct(images) * 5.0 - 3.0, rtol=0.0, atol=1e-3)
    torch.testing.assert_close(wide(shown), plain(images), rtol=1e-3, atol=1e-3)


# ---- what is anomalous -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_more_had_to_change_the_higher_the_score(pooling):
    detector = with_generator(torch.zeros_like, pooling)
    normals = detector.unsignal(0.2 * torch.randn(40, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0)))
    detector.fit_scores(normals)
    found = []
    for height in (0.0, 0.3, 0.6, 1.2):
        images = normals[:8].clone()
        images[:, :, 6:14, 18:26] += height
        found.append(scores(detector, images))
    assert all((more > less).all() for less, more in pairwise(found))
    with torch.no_grad():
        maps = detector(images)[:, 0]
    assert maps[:, 6:14, 18:26].mean() > maps[:, :, :16].mean() + 1e-2


def test_focal_sees_a_spot_mean_a_veil_and_either_both():
    noise = 0.2 * torch.randn(60, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    normals, spot, veil = noise[:40], noise[40:50].clone(), noise[50:] * 1.12
    spot[:, :, 4:8, 20:24] += 0.5
    found = {}
    for pooling in POOLINGS:
        detector = with_generator(torch.zeros_like, pooling)
        detector.fit_scores(detector.unsignal(normals))
        rank = [scores(detector, detector.unsignal(x)) for x in (normals, spot, veil)]
        found[pooling] = [float((x[:, None] > rank[0]).float().mean()) for x in rank[1:]]
    assert found["focal"][0] > 0.95 > found["mean"][0]
    assert found["mean"][1] > 0.95 > found["focal"][1]
    assert min(found["either"]) > 0.95


def test_per_position_a_place_that_always_changes_counts_less():
    """Of normals a band changes by chance; the same change is anomalous elsewhere and not there."""
    generator = torch.Generator().manual_seed(0)
    images = 0.02 * torch.randn(60, 1, SIZE, SIZE, generator=generator)
    images[:, :, 4:14] += 0.4 * torch.rand(60, 1, 1, 1, generator=generator)
    normals, inside, outside = images[:40], images[40:50].clone(), images[50:].clone()
    inside[:, :, 6:12, 12:18] += 0.1
    outside[:, :, 20:26, 12:18] += 0.1
    found = {}
    for per_position in (False, True):
        detector = with_generator(torch.zeros_like, "focal", per_position=per_position)
        detector.fit_scores(detector.unsignal(normals))
        rank = [scores(detector, detector.unsignal(x)) for x in (normals, inside, outside)]
        found[per_position] = [float((x[:, None] > rank[0]).float().mean()) for x in rank[1:]]
    assert found[True][1] > 0.98 > found[False][1]
    assert found[True][1] > found[True][0]


# ---- statistics ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 5, 32])
@pytest.mark.parametrize(("pooling", "per_position"), CASES)
@torch.no_grad()
def test_the_scores_are_standardized_by_the_training_normals(pooling, per_position, batch_size):
    detector = make_detector(pooling, generator={"keep_probability": 0.5}, per_position=per_position).train()
    per_position = per_position and pooling != "mean"  # as published, whatever else is set
    images = make_images(detector, COUNT)
    before, random = state(detector), torch.get_rng_state()
    detector.fit_scores(images, batch_size=batch_size)
    assert torch.equal(torch.get_rng_state(), random)  # and nothing was masked
    assert detector.training
    assert detector.generator.training
    positions = {"position_mean", "position_std"} if per_position else set()
    assert changed(detector, before) == {"score_mean", "score_std"} | positions
    detector.eval()
    changes = [change_of(detector, image) for image in images]
    if per_position:
        local = np.stack([smoothed(change) for change in changes])
        spread = local.std(axis=0)
        mean, std = position_of(detector)
        np.testing.assert_allclose(mean, local.mean(axis=0), rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(std, smoothed(spread) + 0.1 * spread.mean(), rtol=1e-3, atol=1e-6)
    raw = np.stack([sums_of(change, pooling, position=position_of(detector)) for change in changes])
    np.testing.assert_allclose(detector.score_mean, raw.mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(detector.score_std, raw.std(axis=0), rtol=2e-3)
    if pooling == "focal":
        found = scores(detector, images).double().sinh()
        np.testing.assert_allclose([found.mean(), found.std(correction=0)], [0.0, 1.0], atol=2e-3)
    if pooling == "mean":  # as published, whatever the statistics
        np.testing.assert_allclose(scores(detector, images), raw[:, 0], rtol=1e-4)


@pytest.mark.parametrize(("pooling", "per_position"), CASES)
def test_a_second_fit_forgets_the_first_and_equal_images_have_a_finite_score(pooling, per_position):
    once, twice = (make_detector(pooling, per_position=per_position) for _ in range(2))
    images = make_images(once, 6)
    once.fit_scores(images)
    twice.fit_scores(0.5 * images[:3])
    twice.fit_scores(images)
    assert not changed(once, state(twice))
    assert not once.training
    once.fit_scores(images[:1].expand(3, -1, -1, -1))
    assert torch.isfinite(scores(once, images)).all()


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_normals_are_refused_and_nothing_is_fitted(count):
    detector = make_detector("either")
    before = state(detector)
    with pytest.raises(ValueError, match=f"needs at least 2 training normals, got {count}"):
        detector.fit_scores(make_images(detector)[:count])
    assert not changed(detector, before)


# ---- the same again --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pooling", "per_position"), CASES[-4:])
@torch.no_grad()
def test_same_map_in_any_batch_and_order_and_twice_and_nothing_is_remembered(pooling, per_position):
    detector = make_detector(pooling, generator={"keep_probability": 0.5}, per_position=per_position)
    images = make_images(detector, 64)
    before, random = state(detector), torch.get_rng_state()
    together = detector(images)
    assert torch.equal(detector(images), together)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(detector(images[order]), together[order], rtol=1e-4, atol=1e-4)
    alone = torch.cat([detector(image[None]) for image in images[::4]])
    torch.testing.assert_close(alone, together[::4], rtol=1e-4, atol=1e-4)
    assert not changed(detector, before)
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize(("pooling", "per_position"), CASES)
@torch.no_grad()
def test_state_dict_carries_everything_that_scoring_needs(pooling, per_position):
    trained, other = (make_detector(pooling, seed=seed, per_position=per_position) for seed in (0, 5))
    images = make_images(trained)
    trained.fit_scores(images)
    assert not torch.allclose(trained(images), other(images))
    statistics = {"score_mean", "score_std", "position_mean", "position_std"}
    assert {name.split(".")[0] for name in trained.state_dict()} == {"generator"} | statistics
    file = io.BytesIO()
    torch.save(trained.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(trained(images), other(images))


# ---- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pooling", "channels", "per_position"), [("mean", 3, False), ("focal", 1, False), ("either", 1, True)]
)
@torch.no_grad()
def test_torchscript_by_script_and_by_trace(pooling, channels, per_position):
    detector = make_detector(pooling, channels, per_position=per_position)
    images = make_images(detector)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        scripted = torch.jit.script(detector)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(detector, images, check_trace=False)
    expected = detector(images)
    torch.testing.assert_close(scripted(images), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(scripted(images[:1]), expected[:1], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(traced(images), expected, rtol=1e-4, atol=1e-5)
    for method in ("signal", "unsignal", "reconstruct", "judge"):
        torch.testing.assert_close(getattr(scripted, method)(images), getattr(detector, method)(images))
    with pytest.raises(torch.jit.Error, match="image must have shape"):
        scripted(images[:, :, :16])


@torch.no_grad()
def test_onnx_gives_the_same_map_for_any_batch(tmp_path):
    detector = make_detector("either", per_position=True)  # which takes all that the others take
    images = make_images(detector, 3)
    (result,) = run_as_onnx(detector, images, folder=tmp_path)
    torch.testing.assert_close(result, detector(images), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("pooling", POOLINGS)
@torch.no_grad()
def test_bfloat16_is_close_and_channels_last_the_same(pooling):
    detector = make_detector(pooling, 2, fitted=False)
    images = make_images(detector)
    expected = detector(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = detector(images)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.mean(dim=(1, 2, 3)), expected.mean(dim=(1, 2, 3)), atol=0.02, rtol=0.05)
    assert not torch.equal(result, expected)
    detector.to(memory_format=torch.channels_last)
    torch.testing.assert_close(detector(images.to(memory_format=torch.channels_last)), expected, atol=1e-4, rtol=1e-3)


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"value_range": (1.0, 1.0)}, r"value_range must be two rising numbers, got \(1\.0, 1\.0\)"),
        ({"value_range": (2.0, 1.0)}, "value_range must be two rising numbers"),
        ({"value_range": (0.0, float("inf"))}, "value_range must be two rising numbers"),
        ({"value_range": (float("nan"), 1.0)}, "value_range must be two rising numbers"),
        ({"value_range": (0.0, 1.0, 2.0)}, "value_range must be two rising numbers"),
        ({"pooling": "max"}, "pooling must be one of 'mean', 'focal', 'either', got 'max'"),
        ({"fraction": 0.0}, r"fraction must lie in \(0, 1\], got 0\.0"),
        ({"fraction": 1.5}, r"fraction must lie in \(0, 1\], got 1\.5"),
        ({"fraction": float("nan")}, r"fraction must lie in \(0, 1\], got nan"),
        ({"smoothing": 0}, "smoothing must be odd, positive and at most the image's side, got 0"),
        ({"smoothing": -3}, "smoothing must be odd, .* got -3"),
        ({"smoothing": 4}, "smoothing must be odd, .* got 4"),
        ({"smoothing": 33}, "smoothing must be odd, .* got 33"),
        ({"image_size": 40}, "image_size must be a multiple of 8 . grid"),
        ({"generator": {"position": "code"}}, "kind must be one of 'film'"),
    ],
)
def test_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        SAGAN(**{"image_size": SIZE, "generator": GENERATOR, **arguments})
