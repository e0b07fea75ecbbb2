# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf
from torch import nn

from monai_anomaly.networks.blocks.gaussian_descriptor import GaussianDescriptor, saturating
from monai_anomaly.networks.nets.ocad import ocad
from monai_anomaly.networks.nets.ocad.ocad import OCAD
from tests.helpers.ocad_detectors import (
    MAP,
    RECIPES,
    RESNET,
    SIZE,
    VECTOR,
    changed,
    distance,
    make_detector,
    make_images,
    similarity,
    state,
)
from tests.helpers.onnx_runs import run_as_onnx

COUNT = 12
CASES = [("vector", 3), ("vector", 1), ("map", 3), ("resnet", 1)]  # and channels of the images


@torch.no_grad()
def _by_hand(detector, image):
    """Error and distance at every position of one image, ``(S, S)`` each, before they are standardized."""
    picture = detector.reconstruct(image[None])[0]
    x, y = ((part.double().numpy() - detector.low) / detector.width for part in (image, picture))
    unlike = np.clip(1.0 - similarity(x, y), 0.0, 1.0)
    structure = np.pad(unlike.mean(axis=0), 5, mode="edge")
    error = 0.85 * structure + 0.15 * np.abs(x - y).mean(axis=0)
    latent = detector.encode(image[None])[0]
    if latent.dim() == 1:
        return error, np.full((SIZE, SIZE), distance(latent, detector.descriptor))
    far = np.empty((SIZE, SIZE))
    for row in range(SIZE):
        for column in range(SIZE):
            step = SIZE // latent.shape[1]
            far[row, column] = distance(latent[:, row // step, column // step], detector.descriptor)
    return error, far


# ---- map and score ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "channels"), CASES)
@torch.no_grad()
def test_map_has_the_shape_and_type_of_the_contract(name, channels):
    detector = make_detector(RECIPES[name], channels)
    images = make_images(detector, 5)
    result = detector(images)
    assert result.shape == (5, 1, SIZE, SIZE)
    assert result.dtype == torch.float32
    assert torch.isfinite(result).all()
    assert detector.reconstruct(images).shape == images.shape
    assert detector.encode(images).shape == {"vector": (5, 5), "map": (5, 3, 4, 4), "resnet": (5, 4)}[name]


@pytest.mark.parametrize(("name", "channels"), CASES)
@torch.no_grad()
def test_map_is_the_weighted_sum_of_both_terms_at_every_position(name, channels):
    value_range = (0.0, 1.0) if channels == 1 else (-3.0, 3.0)
    detector = make_detector(RECIPES[name], channels, value_range=value_range, gaussian_share=0.3)
    images = make_images(detector)
    errors, distances = detector.judge(images)
    maps = detector(images)
    for i, image in enumerate(images):
        error, far = _by_hand(detector, image)
        np.testing.assert_allclose(errors[i, 0], error, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(distances[i, 0], far, rtol=1e-3, atol=1e-4)
        expected = 0.7 * (error - 0.3) / 0.2 + 0.3 * (far - 0.8) / 1.5
        np.testing.assert_allclose(maps[i, 0], expected, rtol=1e-3, atol=1e-3)
    assert np.ptp(maps.mean(dim=(1, 2, 3)).numpy()) > 1e-3


@pytest.mark.parametrize(("name", "share"), [("vector", 0.0), ("vector", 1.0), ("map", 0.3), ("resnet", 0.7)])
@torch.no_grad()
def test_mean_of_the_map_is_the_weighted_sum_of_the_terms(name, share):
    detector = make_detector(RECIPES[name], gaussian_share=share)
    images = make_images(detector)
    terms = detector.score_terms(images)
    assert terms.shape == (4, len(detector.term_names)) == (4, 2)
    expected = (1.0 - share) * terms[:, 0] + share * terms[:, 1]
    torch.testing.assert_close(detector(images).mean(dim=(1, 2, 3)), expected, rtol=1e-4, atol=1e-5)
    raw = [[part.mean() for part in _by_hand(detector, image)] for image in images]
    standardized = (np.array(raw) - [0.3, 0.8]) / [0.2, 1.5]
    np.testing.assert_allclose(terms, standardized, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_nothing_is_standardized_before_the_fit():
    torch.manual_seed(0)
    detector = OCAD(SIZE, **VECTOR).eval()
    images = make_images(detector)
    for image, result in zip(images, detector(images), strict=True):
        error, far = _by_hand(detector, image)
        np.testing.assert_allclose(result[0], 0.5 * (error + far), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", RECIPES)
@torch.no_grad()
def test_same_map_in_any_batch_and_order_and_twice_and_nothing_is_remembered(name):
    detector = make_detector(RECIPES[name])
    images = make_images(detector, COUNT)
    before, random = state(detector), torch.get_rng_state()
    together = detector(images)
    assert torch.equal(detector(images), together)
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(detector(images[order]), together[order], rtol=1e-4, atol=1e-5)
    alone = torch.cat([detector(image[None]) for image in images])
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)
    terms = torch.cat([detector.score_terms(image[None]) for image in images])
    torch.testing.assert_close(terms, detector.score_terms(images), rtol=1e-4, atol=1e-5)
    assert not changed(detector, before)
    assert torch.equal(torch.get_rng_state(), random)


@torch.no_grad()
def test_distant_images_do_not_tie():
    detector = make_detector(gaussian_share=1.0)
    detector.descriptor.variance.fill_(1e-5)
    images = make_images(detector, COUNT)
    distances = detector.descriptor(detector.encode(images))
    assert distances.min() > 20
    assert len(saturating(distances).unique()) == 1
    scores = detector(images).mean(dim=(1, 2, 3))
    assert len(scores.unique()) == COUNT
    assert torch.equal(scores.argsort(), distances.argsort())


@torch.no_grad()
def test_a_latent_map_is_farthest_where_the_image_was_altered():
    encoder = {**VECTOR["encoder"], "attention_stage": None}
    detector = make_detector(MAP, encoder=encoder, spread="scalar", gaussian_share=1.0)
    for name, parameter in detector.named_parameters():
        if name.startswith(("encoder", "bottleneck")):
            parameter.abs_()  # then the more of a bright patch a position sees, the farther it is
    normals = 0.5 + 0.05 * torch.randn(32, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(3))
    detector.fit_descriptor(normals, detector.descriptor)
    most = detector(normals).max()
    for row in range(4):
        for column in range(4):
            images = normals[:3].clone()
            images[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 3.0
            maps = detector(images)[:, 0]
            coarse = maps[:, ::4, ::4]
            assert coarse.flatten(1).argmax(dim=1).tolist() == [4 * row + column] * 3
            assert coarse[:, row, column].min() > 2 * most
            assert torch.equal(maps, coarse.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2))


# ---- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
@torch.no_grad()
def test_the_images_range_changes_neither_score_nor_picture(name):
    plain = make_detector(RECIPES[name])
    wide = make_detector(RECIPES[name], value_range=(-3.0, 3.0))
    wide.load_state_dict(plain.state_dict())
    images = make_images(plain)
    assert make_images(wide).min() < -1.0
    torch.testing.assert_close(make_images(wide), images * 6.0 - 3.0)
    torch.testing.assert_close(wide.unit(make_images(wide)), images)
    torch.testing.assert_close(
        wide.reconstruct(make_images(wide)), plain.reconstruct(images) * 6.0 - 3.0, rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(wide(make_images(wide)), plain(images), rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_a_new_decoder_s_zero_is_black():
    detector = make_detector(value_range=(-3.0, 2.0))
    last = detector.decoder.layers[-1]
    nn.init.zeros_(last.weight)
    for bias, expected in ((0.0, -3.0), (1.0, 2.0)):
        nn.init.constant_(last.bias, bias)
        result = detector.reconstruct(make_images(detector))
        torch.testing.assert_close(result, torch.full_like(result, expected))


# ---- statistics ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "batch_size"), [("vector", 1), ("vector", 32), ("map", 5), ("resnet", 5)])
@torch.no_grad()
def test_both_terms_are_standardized_by_the_held_out_normals(name, batch_size):
    detector = make_detector(RECIPES[name]).train()
    images, held_out = make_images(detector, COUNT, seed=2), make_images(detector, 9, seed=3)
    before = state(detector)
    detector.fit_scores(images, held_out, batch_size=batch_size)
    assert detector.training
    assert detector.decoder.training
    names = {"descriptor.center", "descriptor.variance", "score_mean", "score_std"}
    assert changed(detector, before) == names | ({"descriptor.axes"} if name == "map" else set())
    detector.eval()
    raw = np.array([[part.mean() for part in _by_hand(detector, image)] for image in held_out])
    np.testing.assert_allclose(detector.score_mean, raw.mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(detector.score_std, raw.std(axis=0), rtol=1e-2)
    terms = detector.score_terms(held_out).double()
    np.testing.assert_allclose(terms.mean(dim=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(terms.std(dim=0, correction=0), 1.0, atol=1e-3)
    assert detector(held_out).mean() == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("name", RECIPES)
@torch.no_grad()
def test_the_descriptor_is_that_of_the_training_normals_in_evaluation_mode(name):
    detector = make_detector(RECIPES[name])
    if name == "resnet":  # whose batch normalization has two modes
        detector.encoder.frozen = False
    images = make_images(detector, COUNT, seed=2)
    latents = [detector.encode(image[None])[0].double() for image in images]
    samples = torch.cat([z.flatten(1).T if z.dim() == 3 else z[None] for z in latents]).numpy()
    center = samples.mean(axis=0)
    variance = ((samples - center) ** 2).mean(axis=0)
    covariance = {
        "diagonal": np.diag(np.maximum(variance, 0.01 * variance.mean())),
        "scalar": np.eye(len(center)) * variance.mean(),
        "full": LedoitWolf().fit(samples).covariance_,
    }[detector.descriptor.spread]
    other = GaussianDescriptor(detector.descriptor.channels, spread=detector.descriptor.spread)
    before = state(detector)
    detector.train()
    detector.fit_descriptor(images, other, batch_size=5)
    assert detector.training
    assert not changed(detector, before)  # neither its own descriptor nor running statistics
    detector.fit_scores(images, images[:2])
    for descriptor in (other, detector.descriptor):
        np.testing.assert_allclose(descriptor.center, center, rtol=1e-3, atol=1e-5)
        axes = descriptor.axes.numpy() if descriptor.spread == "full" else np.eye(len(center))
        spread = axes.T @ np.diag(descriptor.variance) @ axes
        np.testing.assert_allclose(spread, covariance, rtol=1e-3, atol=1e-3 * variance.mean())


def test_a_second_fit_forgets_the_first_and_evaluation_stays():
    once, twice = make_detector(), make_detector()
    images, held_out = make_images(once, 6), make_images(once, 5, seed=2)
    once.fit_scores(images, held_out)
    twice.fit_scores(0.5 * images[:3], held_out[:2])
    twice.fit_scores(images, held_out)
    assert not changed(once, state(twice))
    assert not once.training


def test_equal_held_out_images_give_a_finite_score():
    detector = make_detector()
    images = make_images(detector, 6)
    detector.fit_scores(images, images[:1].expand(3, -1, -1, -1))
    with torch.no_grad():
        assert torch.isfinite(detector(images)).all()


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_held_out_normals_are_refused_and_nothing_is_fitted(count):
    detector = make_detector()
    before, images = state(detector), make_images(detector)
    with pytest.raises(ValueError, match=rf"scaled by held-out normals, of which there are {count}; put at least 2"):
        detector.fit_scores(images, images[:count])
    assert not changed(detector, before)


def test_too_few_and_broken_training_normals_are_refused():
    detector = make_detector()
    images = make_images(detector)
    with pytest.raises(ValueError, match="at least 2 latents of training normals, got 1"):
        detector.fit_scores(images[:1], images)
    with pytest.raises(ValueError, match="latents must be finite"):
        detector.fit_scores(torch.cat([images, torch.full_like(images, torch.nan)]), images)


# ---- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "channels"), CASES)
@torch.no_grad()
def test_torchscript_by_script_and_by_trace(name, channels):
    detector = make_detector(RECIPES[name], channels)
    images = make_images(detector)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        scripted = torch.jit.script(detector)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(detector, images)
    expected = detector(images)
    torch.testing.assert_close(scripted(images), expected)
    torch.testing.assert_close(scripted(images[:1]), expected[:1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(traced(images), expected)
    for method in ("encode", "reconstruct", "judge", "score_terms", "unit"):
        torch.testing.assert_close(getattr(scripted, method)(images), getattr(detector, method)(images))
    with pytest.raises(torch.jit.Error, match="image must have shape"):
        scripted(images[:, :, :8])


@pytest.mark.parametrize("name", ["vector", "map"])
@torch.no_grad()
def test_onnx_gives_the_same_map_for_any_batch(name, tmp_path):
    detector = make_detector(RECIPES[name])
    images = make_images(detector, 3)
    (result,) = run_as_onnx(detector, images, folder=tmp_path)
    torch.testing.assert_close(result, detector(images), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", RECIPES)
@torch.no_grad()
def test_bfloat16_is_close_and_channels_last_the_same(name):
    detector = make_detector(RECIPES[name])
    images = make_images(detector)
    expected = detector(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = detector(images)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, expected, atol=0.15, rtol=0.05)
    assert not torch.equal(result, expected)
    detector.to(memory_format=torch.channels_last)
    torch.testing.assert_close(detector(images.to(memory_format=torch.channels_last)), expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", RECIPES)
@torch.no_grad()
def test_state_dict_carries_everything_that_scoring_needs(name):
    trained, other = make_detector(RECIPES[name]), make_detector(RECIPES[name], seed=5)
    images = make_images(trained)
    trained.fit_scores(images, make_images(trained, 5, seed=2))
    assert not torch.allclose(trained(images), other(images))
    file = io.BytesIO()
    torch.save(trained.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(trained(images), other(images))


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"structure_weight": 1.1}, r"structure_weight must lie in \[0, 1\], got 1\.1"),
        ({"structure_weight": float("nan")}, r"structure_weight must lie in \[0, 1\], got nan"),
        ({"gaussian_share": -0.1}, r"gaussian_share must lie in \[0, 1\], got -0\.1"),
        ({"value_range": (1.0, 1.0)}, r"value_range must be two rising numbers, got \(1\.0, 1\.0\)"),
        ({"value_range": (0.0, float("inf"))}, "value_range must be two rising numbers"),
        ({"value_range": (0.0, 1.0, 2.0)}, "value_range must be two rising numbers"),
        ({"encoder": {"kind": "vgg"}}, "kind of the encoder must be one of 'attention', 'resnet18', got 'vgg'"),
        ({"decoder": {"kind": "unet"}}, "kind of the decoder must be one of 'conv', 'residual', got 'unet'"),
        ({"decoder": {"channels": (8, 8, 8)}}, "from maps of 4 to images of 32 pixels, but image_size is 16"),
        ({"decoder": {}}, "from maps of 4 to images of 32 pixels, but image_size is 16"),
        ({"latent": "grid"}, "kind must be one of 'vector', 'map', got 'grid'"),
        ({"latent_channels": 129}, r"latent vector of 129 is no bottleneck for a map of 8 x 4 x 4 = 128 values"),
        ({**MAP, "latent_channels": 9}, "latent map of 9 is no bottleneck for a map of 8 channels"),
        ({**RESNET, "latent": "map"}, "residual decoder needs a latent 'vector', got 'map'; set latent or decoder"),
        ({"spread": "none"}, "spread must be .*, got 'none'"),
        ({"window": 17}, "window must fit into the image of side 16, got 17"),
        ({"levels": 2}, "levels must lie in"),
    ],
)
def test_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        OCAD(**{"image_size": SIZE, **VECTOR, **arguments})


def test_a_gaussian_of_latents_that_would_take_too_much_memory_is_that_of_evenly_spaced_normals(monkeypatch):
    detector = make_detector(MAP, spread="diagonal")
    images = make_images(detector, 9)
    channels = detector.descriptor.channels
    some, expected, everything = (GaussianDescriptor(channels) for _ in range(3))
    detector.fit_descriptor(images[::2], expected)
    detector.fit_descriptor(images, everything)
    size = detector.eval().encode(images[:1]).numel() * 4
    monkeypatch.setattr(ocad, "_LATENT_BYTES", 5 * size + 3)
    detector.fit_descriptor(images, some)
    assert torch.equal(some.center, expected.center) and torch.equal(some.variance, expected.variance)
    assert not torch.equal(some.center, everything.center)
