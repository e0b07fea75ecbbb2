# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from monai_anomaly.networks.nets.simsid.simsid import OUTPUTS, SCORES, SimSID
from tests.helpers.onnx_runs import run_as_onnx
from tests.helpers.simsid_detectors import (
    RECIPES,
    REPORT,
    SIMSID,
    SIZE,
    SQUID,
    changed,
    make_detector,
    make_images,
    state,
)

WIDE = ("recon_mse", "feature_distance", "map_logit")  # scores that are means of a map
CASES = [(name, score) for name in ("simsid", "report") for score in SCORES] + [("squid", "recon_logit")]


def _fitted(detector, mean=0.3, std=2.0):
    detector.score_mean.fill_(mean)
    detector.score_std.fill_(std)
    return detector


def _sigmoid(values):
    return 1.0 / (1.0 + np.exp(-np.asarray(values, dtype=np.float64)))


@torch.no_grad()
def _by_hand(detector, images):
    """The scores before they are standardized, image by image, from the networks' outputs."""
    scores = []
    for image in images:
        x = image[None] * 2 - 1 if detector.output == "tanh" else image[None]
        features = detector.generator.encode(x)
        painted, _ = detector.generator.inpaint(features)
        picture = detector.generator.decode(painted)[-1]
        if detector.output != "none":
            picture = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}[detector.output](picture)
        if detector.score == "recon_logit":
            scores.append(-float(detector.discriminator(picture)))
        elif detector.score == "logit_difference":
            scores.append(float(detector.discriminator(x)) - float(detector.discriminator(picture)))
        elif detector.score == "recon_mse":
            scores.append(float(np.mean((x.numpy() - picture.numpy()) ** 2)))
        elif detector.score == "feature_distance":
            scores.append(float(np.mean((features[-1].numpy() - painted[-1].numpy()) ** 2)))
        else:
            scores.append(float(detector.discriminator(torch.cat([x, picture], dim=1)).mean()))
    return np.array(scores)


class _Prescribed(nn.Module):
    """A discriminator that gives the logits it was made with."""

    def __init__(self, logits):
        super().__init__()
        self.register_buffer("logits", torch.as_tensor(logits, dtype=torch.float32))

    def forward(self, _):
        return self.logits


# ---- map and score -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("channels", [1, 3])
@torch.no_grad()
def test_map_has_the_shape_and_type_of_the_contract(name, channels):
    detector = make_detector(RECIPES[name], in_channels=channels)
    images = make_images(detector, 5)
    result = detector(images)
    assert result.shape == (5, 1, SIZE, SIZE)
    assert result.dtype == torch.float32
    assert torch.isfinite(result).all()
    assert detector.reconstruct(images).shape == images.shape


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("name", "score"), CASES)
@torch.no_grad()
def test_mean_of_the_map_is_the_score(name, score, output, bounded):
    detector = _fitted(make_detector(RECIPES[name], score=score, output=output, bounded=bounded))
    images = make_images(detector)
    expected = (_by_hand(detector, images) - 0.3) / 2.0
    result = detector(images).mean(dim=(1, 2, 3)).numpy()
    np.testing.assert_allclose(result, _sigmoid(expected) if bounded else expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(result) > 1e-5 or name == "report"  # which knows images by the rows that they choose alone


@torch.no_grad()
def test_nothing_is_standardized_before_the_fit():
    detector = make_detector()
    images = make_images(detector)
    np.testing.assert_allclose(detector(images).mean(dim=(1, 2, 3)), _by_hand(detector, images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("score", SCORES)
@torch.no_grad()
def test_within_an_image_the_map_is_that_of_its_kind(score, bounded):
    detector = _fitted(make_detector(score=score, bounded=bounded))
    images = make_images(detector)
    features = detector.generator.encode(images)
    painted, _ = detector.generator.inpaint(features)
    picture = torch.sigmoid(detector.generator.decode(painted)[-1])
    if score == "map_logit":
        shape = detector.discriminator(torch.cat([images, picture], dim=1))
    elif score == "feature_distance":
        distance = (features[-1] - painted[-1]).square().mean(dim=1)  # (B * P, 2, 2), patches of 8 x 8 pixels
        shape = torch.empty(4, 1, SIZE, SIZE)
        for y in range(SIZE):
            for x in range(SIZE):
                patch = 2 * (y // 8) + x // 8
                shape[:, 0, y, x] = distance[patch::4, (y % 8) // 4, (x % 8) // 4]
    else:
        difference = images - picture
        shape = difference.square() if score == "recon_mse" else difference.abs()
    of_the_map = score not in ("recon_logit", "logit_difference")  # else the map has its own unit, that of the images
    shift = detector(images) - shape / (2.0 if of_the_map else 1.0)
    torch.testing.assert_close(shift, shift[:, :, :1, :1].expand_as(shift), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bounded", [False, True])
@torch.no_grad()
def test_score_rises_when_the_discriminator_s_logit_falls(bounded):
    detector = _fitted(make_detector(bounded=bounded))
    logits, labels = [2.0, 1.5, -1.0, 0.5, 3.0, -2.0], [0, 0, 1, 1, 0, 1]
    detector.discriminator = _Prescribed(logits)
    scores = detector(make_images(detector, 6)).mean(dim=(1, 2, 3)).double().numpy()
    assert np.argsort(scores).tolist() == np.argsort(logits)[::-1].tolist()
    assert roc_auc_score(labels, scores) == 1.0 - roc_auc_score(labels, logits) == 1.0
    standardized = (np.array(logits) + 0.3) / 2.0  # the mean of the logits is minus that of the scores
    np.testing.assert_allclose(scores, 1.0 - _sigmoid(standardized) if bounded else -standardized, atol=1e-5)


@torch.no_grad()
def test_a_bounded_score_orders_images_as_the_other():
    detector = _fitted(make_detector(), 0.0, 1.0)
    detector.discriminator = _Prescribed(np.linspace(-10, 10, 41))
    images = make_images(detector, 41)
    plain = detector(images).mean(dim=(1, 2, 3))
    detector.bounded = True
    bounded = detector(images).mean(dim=(1, 2, 3))
    assert (bounded[:-1] > bounded[1:]).all()
    assert (plain[:-1] > plain[1:]).all()


@pytest.mark.parametrize("score", WIDE)
@torch.no_grad()
def test_either_is_the_larger_of_both_each_in_its_own_deviations(score):
    options = {"score": score, "temperature": 0.1}
    mean, focal, either = (make_detector(pooling=name, **options) for name in ("mean", "focal", "either"))
    normals, images = make_images(mean, 9), make_images(mean, 6)
    for detector in (mean, focal, either):
        detector.fit_scores(normals)
    both = torch.stack([detector(images).mean(dim=(1, 2, 3)) for detector in (mean, focal)])
    torch.testing.assert_close(either(images).mean(dim=(1, 2, 3)), both.amax(dim=0), rtol=1e-3, atol=1e-3)
    flat = either(images) - mean(images) * (mean.score_std / either.score_std[0])
    torch.testing.assert_close(flat, flat[:, :, :1, :1].expand_as(flat), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("score", WIDE)
@pytest.mark.parametrize("temperature", [0.05, 0.5, 20.0])
@torch.no_grad()
def test_temperature_pools_softly(score, temperature):
    plain = make_detector(score=score)
    images = make_images(plain)
    maps = plain(images).flatten(1).double().numpy()
    expected = [temperature * np.log(np.mean(np.exp(row / temperature))) for row in maps]
    soft = _fitted(make_detector(score=score, pooling="focal", temperature=temperature))
    result = soft(images).flatten(1).double()
    np.testing.assert_allclose(result.mean(dim=1) * 2.0 + 0.3, expected, rtol=1e-4, atol=1e-4)
    shift = result - torch.from_numpy(maps) / 2.0
    torch.testing.assert_close(shift, shift[:, :1].expand_as(shift), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_temperature_lies_between_mean_and_maximum():
    images = make_images(make_detector())
    plain = make_detector(score="recon_mse")(images).flatten(1)
    cold, hot = (
        make_detector(score="recon_mse", pooling="focal", temperature=t)(images).mean(dim=(1, 2, 3))
        for t in (1e-4, 1e2)
    )
    torch.testing.assert_close(cold, plain.amax(dim=1), atol=1e-3, rtol=0.0)
    torch.testing.assert_close(hot, plain.mean(dim=1), atol=1e-3, rtol=0.0)


@pytest.mark.parametrize(("name", "score"), CASES)
@torch.no_grad()
def test_same_map_in_any_batch_and_twice_and_nothing_is_remembered(name, score):
    options = {} if score == "map_logit" else {"discriminator": {"channels": (4, 6), "norm_at_eval": "instance"}}
    detector = _fitted(make_detector(RECIPES[name], score=score, **options))
    images = make_images(detector, 16)
    before, random = state(detector), torch.get_rng_state()
    together = detector(images)
    assert torch.equal(detector(images), together)
    alone = torch.cat([detector(images[i : i + 1]) for i in (0, 7, 15)])
    torch.testing.assert_close(together[[0, 7, 15]], alone, rtol=1e-4, atol=1e-5)
    detector.reconstruct(images)
    assert not changed(detector, before)
    assert torch.equal(torch.get_rng_state(), random)


# ---- pictures ----------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_reconstruction_is_in_the_images_range():
    extremes = {}
    for output in OUTPUTS:
        detector = make_detector(output=output)
        out, images, pictures = detector.generator.decoder.out, make_images(detector), []
        for weight in (-1e4, 1e4):  # of what is not negative
            nn.init.constant_(out.weight, weight)
            pictures.append(detector.reconstruct(images))
        result = torch.cat(pictures)
        extremes[output] = [round(float(result.min()), 2), round(float(result.max()), 2)]
        torch.testing.assert_close(detector.unsignal(detector.signal(result)), result)
    assert extremes["sigmoid"] == extremes["tanh"] == [0.0, 1.0]
    assert extremes["none"][0] < 0.0
    assert extremes["none"][1] > 1.0


@pytest.mark.parametrize("output", OUTPUTS)
@torch.no_grad()
def test_reconstruction_is_the_generator_s(output):
    detector = make_detector(output=output)
    images = make_images(detector)
    logits = detector.generator(images * 2 - 1 if output == "tanh" else images)
    expected = {"sigmoid": torch.sigmoid(logits), "tanh": torch.tanh(logits) / 2 + 0.5, "none": logits}[output]
    torch.testing.assert_close(detector.reconstruct(images), expected)


# ---- statistics --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", ["recon_logit", "recon_mse"])
@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_statistics_are_those_of_all_normals(score, batch_size):
    detector = make_detector(score=score)
    images = make_images(detector, 10)
    raw = _by_hand(detector, images)
    detector.train()
    before = state(detector)
    detector.fit_scores(images, batch_size=batch_size)
    assert detector.training
    assert detector.generator.training
    assert changed(detector, before) == {"score_mean", "score_std"}
    np.testing.assert_allclose(detector.score_mean, raw.mean(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(detector.score_std, raw.std() + 1e-8, rtol=1e-3)
    with torch.no_grad():
        scores = detector.eval()(images).mean(dim=(1, 2, 3)).numpy()
    assert scores.mean() == pytest.approx(0.0, abs=1e-3)
    assert scores.std() == pytest.approx(1.0, abs=1e-2)


def test_a_second_fit_forgets_the_first_and_evaluation_stays():
    once, twice = make_detector(), make_detector()
    images = make_images(once, 6)
    once.fit_scores(images)
    twice.fit_scores(2.0 * images[:3])
    twice.fit_scores(images)
    assert torch.equal(once.score_mean, twice.score_mean)
    assert torch.equal(once.score_std, twice.score_std)
    assert not once.training


def test_equal_images_give_a_finite_score():
    detector = make_detector()
    images = make_images(detector, 1).expand(4, -1, -1, -1)
    detector.fit_scores(images)
    with torch.no_grad():
        assert torch.isfinite(detector(images)).all()


def test_a_spread_needs_two_images():
    detector = make_detector()
    with pytest.raises(ValueError, match="needs at least 2 training normals, got 1"):
        detector.fit_scores(make_images(detector, 1))


# ---- where it runs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("simsid", {"score": "recon_logit", "output": "tanh", "bounded": True}),
        ("squid", {"score": "feature_distance"}),
        ("simsid", {"score": "map_logit", "output": "none", "pooling": "either"}),
        ("report", {"score": "feature_distance", "bounded": True}),
        ("report", {"score": "logit_difference"}),
        ("report", {"score": "recon_mse", "pooling": "focal"}),
    ],
)
@torch.no_grad()
def test_torchscript_by_script_and_by_trace_gives_the_same_map(name, options):
    detector = _fitted(make_detector(RECIPES[name], **options))
    images = make_images(detector)
    expected = detector(images)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)  # TorchScript is deprecated, MONAI still exports it
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        scripted = torch.jit.script(detector)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(detector, images[:2], check_trace=False)
    torch.testing.assert_close(scripted(images), expected)
    torch.testing.assert_close(scripted.reconstruct(images), detector.reconstruct(images))
    torch.testing.assert_close(traced(images), expected)
    with pytest.raises(torch.jit.Error, match="image must have shape"):
        scripted(images[:, :, :8])


@pytest.mark.parametrize(("name", "score"), [("simsid", "recon_logit"), ("report", "feature_distance")])
@torch.no_grad()
def test_onnx_gives_the_same_map_for_any_batch(name, score, tmp_path):
    detector = _fitted(make_detector(RECIPES[name], score=score))
    images = make_images(detector, 3)
    (result,) = run_as_onnx(detector, images, folder=tmp_path)
    torch.testing.assert_close(result, detector(images), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("name", "score"), CASES)
@torch.no_grad()
def test_bfloat16_is_close_and_channels_last_the_same(name, score):
    detector = _fitted(make_detector(RECIPES[name], score=score))
    images = make_images(detector)
    expected = detector(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = detector(images)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, expected, atol=0.1, rtol=0.1)
    detector.to(memory_format=torch.channels_last)
    torch.testing.assert_close(detector(images.to(memory_format=torch.channels_last)), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", RECIPES)
@torch.no_grad()
def test_state_dict_carries_everything_that_scoring_needs(name):
    trained, other = _fitted(make_detector(RECIPES[name])), make_detector(RECIPES[name], seed=5)
    images = make_images(trained)
    file = io.BytesIO()
    torch.save(trained.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(trained(images), other(images))


# ---- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output": "relu"}, "output must be one of 'sigmoid', 'tanh', 'none', got 'relu'"),
        ({"score": "ssim"}, "score must be one of 'recon_logit', .*, got 'ssim'"),
        ({"score": "recon_mse", "pooling": "top"}, "pooling must be one of 'mean', 'focal', 'either', got 'top'"),
        ({"score": "recon_logit", "pooling": "focal"}, "is one number for an image; leave pooling at 'mean'"),
        ({"score": "logit_difference", "pooling": "either"}, "is one number for an image; leave pooling"),
        ({"score": "map_logit", "temperature": 0.0}, "temperature must be positive, got 0.0"),
        ({"image_size": 15}, "grid must divide image_size"),
        ({"generator": {**SIMSID, "slots": 1}}, "top_k must be"),
        ({"generator": {**REPORT, "grid": 3}}, "grid must divide image_size"),
    ],
)
def test_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        SimSID(**{"image_size": SIZE, "generator": SIMSID, "discriminator": {"channels": (4, 6)}, **arguments})


@pytest.mark.parametrize(
    ("stored", "generator", "message"),
    [
        (SIMSID, {**SIMSID, "slots": 7}, r"holds \(4, 6, 16\) \(locations, slots, dim\), this memory \(4, 7, 16\)"),
        (SQUID, {**SQUID, "memory": {**SQUID["memory"], "write": "replace_dissimilar"}}, "was not written by write="),
    ],
)
def test_refuses_a_checkpoint_of_another_memory(stored, generator, message):
    with pytest.raises(RuntimeError, match=f"generator.bottleneck.memory.memory: the checkpoint.*{message}|{message}"):
        make_detector(generator).load_state_dict(make_detector(stored).state_dict())
