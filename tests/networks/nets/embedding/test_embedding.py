# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn import functional as F

from monai_anomaly.networks.nets.embedding.embedding import Embedding
from monai_anomaly.utils.exceptions import ConfigError

COSINE = {"kind": "cosine", "stages": ["stage2"], "statistics": ["mean"], "neighbors": 2}
TEXTURE = {"kind": "mahalanobis", "stages": ["stage4", "head"], "statistics": ["deviation"]}
SMALL_COPY = {"kind": "mahalanobis", "stages": ["image"], "statistics": ["grid"]}


def images(count: int, size: int = 64, seed: int = 0, channels: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, channels, size // 8, size // 8, generator=generator)
    return F.interpolate(coarse, [size, size], mode="bilinear")


@torch.no_grad()
def fitted(size: int = 64, pool: int = 6, **options) -> Embedding:
    torch.manual_seed(1)
    detector = Embedding(size, **options).eval()
    normals, unlabeled = detector.features(images(8, size)), detector.features(images(pool, size, seed=1) ** 2)
    detector.fit_heads(normals, unlabeled)
    generator = torch.Generator().manual_seed(2)
    heads = len(detector.score_mean)
    detector.fit_joining(torch.rand(8, heads, generator=generator), torch.rand(pool, heads, generator=generator) + 0.2)
    return detector


@torch.no_grad()
def test_the_map_is_the_logistic_regression_at_every_position():
    contrast = {"stages": ["stage4"], "statistics": ["mean"], "inverse_penalty": 0.1, "limit": 1e6}
    detector = fitted(distances=[COSINE], contrast=contrast)
    detector.score_weights.copy_(torch.tensor([0.0, 1.0]))
    detector.score_mean.zero_()
    detector.score_std.fill_(1.0)
    places = 1 + detector.backbone.stages.index("stage4")  # behind the image

    def positions(image: torch.Tensor) -> torch.Tensor:
        return detector.stages(image)[places].double()

    normals, pool = positions(images(8)).mean((2, 3)), positions(images(6, seed=1) ** 2).mean((2, 3))
    center, spread = normals.mean(0), normals.std(0, correction=0) + 1e-6
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000)
    model.fit(((torch.cat([normals, pool]) - center) / spread).numpy(), [0] * 8 + [1] * 6)
    new = images(3, seed=5)
    found = positions(new)
    rows = ((found.movedim(1, -1) - center) / spread).flatten(0, 2)
    expected = torch.from_numpy(model.decision_function(rows.numpy())).reshape(3, 1, *found.shape[2:])
    scores = model.decision_function(((found.mean((2, 3)) - center) / spread).numpy())
    anomaly = detector(new)
    torch.testing.assert_close(anomaly.mean((1, 2, 3)).double(), torch.from_numpy(scores), rtol=1e-3, atol=1e-3)
    resized = F.interpolate(expected, [64, 64], mode="bilinear", align_corners=False)
    torch.testing.assert_close(anomaly.double(), resized, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_no_shift_but_a_constant_is_needed_for_the_map_to_have_the_score_as_its_mean():
    detector, new = fitted(distances=[TEXTURE, SMALL_COPY]), images(4, seed=6)
    stages = detector.stages(new)
    features = detector.statistics(stages)
    raw, each = detector.heads(features)
    weights = detector.feature_weights(each)
    activation = detector.statistics.activation(stages, weights, [64, 64])
    sums = (weights * features).sum(1)
    torch.testing.assert_close(activation.mean((1, 2, 3)), sums, rtol=1e-4, atol=1e-4 * float(sums.abs().max()))
    first, second, contrast = detector.heads.scores
    scale = detector.score_weights / detector.score_std
    constant = -detector.score_mean @ scale + contrast.intercept * scale[2]
    for columns, head, factor, part in zip(detector.heads.columns, (first, second, contrast), scale, each, strict=True):
        constant = constant - factor * columns(part) @ head.center
    torch.testing.assert_close(sums + constant, detector.joined(detector.standardize(raw)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", [40, 72, 128])
@torch.no_grad()
def test_the_mean_of_the_map_is_the_score_at_any_size(size):
    detector = fitted(size)
    new = images(3, size, seed=3)
    scores, found = detector.joined(detector.standardize(detector.raw_scores(new))), detector(new)
    rounding = 1e-6 * float(found.abs().max())  # of the values that a mean is taken of
    torch.testing.assert_close(found.mean((1, 2, 3)), scores, rtol=1e-4, atol=max(rounding, 1e-4))


@torch.no_grad()
def test_brightness_and_contrast_count_in_raw_pixels_alone():
    new = images(2, 32, seed=4)
    for normalization, same in (("z", True), ("raw", False), ("both", False)):
        detector = fitted(32, normalization=normalization)
        assert torch.allclose(detector(0.5 * new + 0.2), detector(new), rtol=1e-2, atol=1e-2) is same
    one, two = (Embedding(32, normalization=name).statistics.count for name in ("raw", "both"))
    assert two == 2 * one


@torch.no_grad()
def test_color_is_seen():
    detector = fitted(32, distances=[COSINE])
    gray = images(2, 32, seed=4)
    color = Embedding(32, 3, distances=[COSINE]).eval()
    color.load_state_dict(detector.state_dict())
    torch.testing.assert_close(color(gray.expand(-1, 3, -1, -1)), detector(gray))
    assert not torch.allclose(color(torch.cat([gray, gray.flip(2), gray], 1)), detector(gray))


@torch.no_grad()
def test_without_a_pool_the_contrast_says_nothing_and_a_state_with_more_neighbors_loads():
    detector = fitted(32, pool=0, distances=[COSINE])
    assert detector.score_weights[-1] == 0.0 and detector.score_weights[0] > 0.0
    other = Embedding(32, distances=[COSINE]).eval()
    other.load_state_dict(detector.state_dict())
    new = images(2, 32, seed=4)
    assert torch.equal(other(new), detector(new))
    assert len(other.heads.scores[0].memory) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_channels": 2}, "channels must be 1 or 3, got 2"),
        ({"normalization": "x"}, "normalization must be one of 'z', 'raw', 'both', got 'x'"),
        ({"distances": [{**COSINE, "kind": "euclid"}]}, "must be one of 'mahalanobis', 'cosine', got 'euclid'"),
        ({"distances": [{**COSINE, "stages": ["stage9"]}]}, r"stages of distance 1 must be .* got \['stage9'\]"),
        ({"contrast": {"stages": ["head"], "statistics": "mean"}}, "statistics of the contrast must be .* got 'mean'"),
    ],
)
def test_other_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Embedding(32, **options)


@torch.no_grad()
@pytest.mark.parametrize(("normalization", "names"), [("both", ["z_scored", "normalized"]), ("raw", ["normalized"])])
def test_each_input_passes_the_backbone_as_alone(normalization, names):
    detector, new = Embedding(32, normalization=normalization).eval(), images(3, 32)
    expected = []
    for name in names:
        seen = getattr(detector.backbone, name)(new)
        expected += [seen[:, :1], *detector.backbone(seen)]
    for found, stage in zip(detector.stages(new), expected, strict=True):
        torch.testing.assert_close(found, stage, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_another_backbone_scores_on_all_of_its_stages():
    distance = {"kind": "mahalanobis", "stages": None, "statistics": ["deviation"]}
    contrast = {"stages": ["stage4"], "statistics": ["mean"]}
    detector = Embedding(48, backbone="vit_s_16", distances=[distance], contrast=contrast).eval()
    assert detector.features(images(2, 48)).shape == (2, 4 * 384 + 384)
    anomaly = detector(images(2, 48))
    assert anomaly.shape == (2, 1, 48, 48)
