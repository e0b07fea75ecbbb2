# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import io
import warnings

import pytest
import torch

from monai_anomaly.losses.relative_perceptual import RelativePerceptualL1Loss
from monai_anomaly.networks.nets.sepiad.sepiad import SEPIAD
from tests.helpers.onnx_runs import run_as_onnx
from tests.helpers.trained_models import assert_same

WIDTHS = [8, 8, 8, 8]
SMALL = {
    "image_size": 32,
    "encoder_channels": WIDTHS,
    "decoder_channels": WIDTHS,
    "latent_channels": 8,
    "feature_layers": ("r12", "r32"),
    "layer_weights": (1.0, 3.0),
    "feature_width": 0.125,
}
LITE0 = {"feature_network": "efficientnet_lite0", "feature_layers": ("stage1", "stage3"), "feature_width": None}
VARIANTS = [
    {},
    {"se": False, "in_channels": 3, "feature_norm": True},
    {"arch": "paper", "score": "top", "feature_layers": ("r22",), "layer_weights": None},
    LITE0,
]


def _detector(seed=0, **options):
    torch.manual_seed(seed)
    detector = SEPIAD(**{**SMALL, **options}).eval()
    channels = detector.in_channels
    detector.features.fit_statistics([torch.rand(8, channels, 32, 32)])
    return detector


def _images(detector, count=5, seed=1):
    return torch.rand(count, detector.in_channels, 32, 32, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("options", VARIANTS)
@torch.no_grad()
def test_map_has_the_shape_and_type_of_the_contract(options):
    detector = _detector(**options)
    image = _images(detector)
    result = detector(image)
    assert result.shape == (5, 1, 32, 32)
    assert result.dtype == torch.float32
    assert torch.isfinite(result).all()
    assert detector.reconstruct(image).shape == image.shape


@torch.no_grad()
def test_mean_of_the_map_is_the_relative_perceptual_distance():
    detector = _detector()
    image = _images(detector)
    z = detector.encode(2 * image - 1)
    fake = (detector.decode(z) + 1) / 2
    torch.testing.assert_close(detector.reconstruct(image), fake)
    real, fake = detector.features(image), detector.features(fake)
    by_hand = torch.zeros(5)
    for weight, r, f in zip((0.25, 0.75), real, fake, strict=True):
        for i in range(5):
            by_hand[i] += weight * (r[i] - f[i]).abs().mean() / r[i].abs().mean()
    score = detector(image).mean(dim=(1, 2, 3))
    torch.testing.assert_close(score, by_hand, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(score, RelativePerceptualL1Loss((1, 3), "none")(real, fake), rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_top_shifts_the_map_so_that_its_mean_is_the_mean_of_the_largest():
    plain, top = _detector(score="mean"), _detector(score="top", top_fraction=0.1)
    image = _images(plain)
    before, after = plain(image).flatten(1), top(image).flatten(1)
    largest = before.sort(dim=1, descending=True).values[:, :102].mean(dim=1)
    torch.testing.assert_close(after.mean(dim=1), largest)
    shift = after - before
    torch.testing.assert_close(shift, shift[:, :1].expand_as(shift))


@torch.no_grad()
def test_top_of_everything_is_the_mean():
    plain, top = _detector(), _detector(score="top", top_fraction=1.0)
    torch.testing.assert_close(plain(_images(plain)), top(_images(top)))


@pytest.mark.parametrize("options", VARIANTS)
@torch.no_grad()
def test_one_image_scores_the_same_alone_and_among_64(options):
    detector = _detector(**options)
    image = _images(detector, 64)
    together = detector(image)
    alone = torch.cat([detector(image[i : i + 1]) for i in (0, 17, 63)])
    torch.testing.assert_close(together[[0, 17, 63]], alone, rtol=1e-4, atol=1e-5)
    assert torch.equal(together, detector(image))


@torch.no_grad()
def test_scoring_changes_no_state_even_in_training_mode():
    detector = _detector(feature_norm=True).train()
    before = copy.deepcopy(detector.state_dict())
    detector(_images(detector))
    assert_same(detector.state_dict(), before)


@torch.no_grad()
def test_state_dict_carries_everything_that_scoring_needs():
    trained, other = _detector(0), SEPIAD(**SMALL).eval()
    image = _images(trained)
    buffer = io.BytesIO()
    torch.save(trained.state_dict(), buffer)
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert other.features.is_fitted
    assert torch.equal(trained(image), other(image))


@torch.no_grad()
def test_a_perfect_reconstruction_scores_zero():
    detector = _detector()
    image = _images(detector)
    detector.reconstruct = lambda x: x
    assert float(detector(image).abs().max()) < 1e-6


@torch.no_grad()
def test_the_map_points_at_the_change():
    detector = _detector()
    image = _images(detector, 1)
    damaged = image.clone()
    damaged[:, :, 4:12, 20:28] = 1.0 - damaged[:, :, 4:12, 20:28]
    detector.reconstruct = lambda x: damaged
    result = detector(image)[0, 0]
    assert result[4:12, 20:28].mean() > 5 * result[20:, :12].mean()


@torch.no_grad()
def test_an_image_with_zero_features_gives_a_finite_score():
    detector = _detector()
    for statistics in detector.features.statistics:
        statistics.mean.zero_()
    for parameter in detector.features.parameters():
        parameter.zero_()
    assert torch.isfinite(detector(_images(detector))).all()


@pytest.mark.parametrize("options", VARIANTS)
@torch.no_grad()
def test_torchscript_by_script_and_by_trace_gives_the_same_map(options):
    detector = _detector(**options)
    image = _images(detector)
    expected = detector(image)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)  # TorchScript is deprecated, MONAI still exports it
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        scripted = torch.jit.script(detector)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(detector, image[:2])
    torch.testing.assert_close(scripted(image), expected)
    torch.testing.assert_close(scripted.reconstruct(image), detector.reconstruct(image))
    torch.testing.assert_close(traced(image), expected)
    with pytest.raises(torch.jit.Error, match="image must have shape"):
        scripted(image[:, :, :16])


@pytest.mark.parametrize("options", [{}, LITE0])
@torch.no_grad()
def test_onnx_gives_the_same_map_for_any_batch(options, tmp_path):
    detector = _detector(score="top", **options)
    image = _images(detector, 3)
    (result,) = run_as_onnx(detector, image, folder=tmp_path)
    torch.testing.assert_close(result, detector(image), rtol=1e-4, atol=1e-5)


def test_gradient_reaches_encoder_and_decoder_but_not_the_features():
    detector = _detector().train()
    detector(_images(detector)).mean().backward()
    assert all(p.grad is not None for net in (detector.encoder, detector.decoder) for p in net.parameters())
    assert all(p.grad is None for p in detector.features.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"score": "median"}, "score must be 'mean' or 'top'"),
        ({"top_fraction": 0.0}, "top_fraction"),
        ({"layer_weights": (1.0,)}, r"one number per feature layer \(2\), got 1"),
        ({"layer_weights": (1.0, -1.0)}, "non-negative"),
        ({"layer_weights": (0.0, 0.0)}, "not all zero"),
        ({"encoder_channels": [8] * 5}, "encoder channels must have 4 entries"),
        ({"decoder_channels": [8] * 5}, "decoder channels must have 4 entries"),
    ],
)
def test_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        SEPIAD(**{**SMALL, **arguments})
