# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from scipy.stats import entropy

from monai_anomaly.metrics.histogram_divergence import HistogramDivergence, histogram_divergence


def pair(shape=(6, 1, 8, 8), seed=0):
    generator = torch.Generator().manual_seed(seed)
    real = torch.rand(shape, generator=generator)
    return real, (real + 0.2 * torch.randn(shape, generator=generator)).clamp(0, 1) ** 2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("low", "high", "bins"), [(0.0, 1.0, 256), (-3.0, 5.0, 7), (0.2, 0.6, 2)])
def test_is_what_scipy_finds(seed, low, high, bins):
    real, fake = (low + (high - low) * values for values in pair(seed=seed))
    p, q = (np.histogram(values.numpy(), bins, (low, high))[0] / values.numel() for values in (real, fake))
    found = histogram_divergence(real, fake, value_range=(low, high), bins=bins)
    assert found == pytest.approx(entropy(p + 1e-8, q + 1e-8), rel=1e-6)


def test_is_what_a_loop_finds():
    real, fake = pair((2, 1, 5, 5))
    shares = []
    for values in (real, fake):
        counts = [0] * 16
        for value in values.flatten().tolist():
            counts[min(int(value * 16), 15)] += 1
        shares.append([(count / 50 + 1e-3) / (1 + 16e-3) for count in counts])
    expected = sum(p * math.log(p / q) for p, q in zip(*shares, strict=True))
    assert histogram_divergence(real, fake, bins=16, eps=1e-3) == pytest.approx(expected, rel=1e-9)


def test_known_values():
    half = torch.tensor([0.1, 0.9])
    dark = torch.tensor([0.1, 0.1, 0.1, 0.9])
    assert histogram_divergence(half, half.flip(0)) == 0
    expected = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert histogram_divergence(half, dark, bins=2) == pytest.approx(expected, abs=1e-6)
    backwards = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert histogram_divergence(dark, half, bins=2) == pytest.approx(backwards, abs=1e-6)
    apart = histogram_divergence(torch.zeros(5), torch.ones(5))
    assert apart == pytest.approx(-math.log(1e-8), rel=1e-5)


def test_values_outside_count_at_the_ends():
    inside = histogram_divergence(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0.0, 0.0, 0.5, 1.0]))
    outside = histogram_divergence(torch.tensor([-7.0, 0.5, 1.0]), torch.tensor([0.0, -1e30, 0.5, 3.0]))
    assert outside == inside > 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("first", [True, False])
def test_pixels_must_be_finite(bad, first):
    fine, broken = torch.zeros(3), torch.tensor([0.0, bad, 0.0])
    with pytest.raises(ValueError, match="not finite"):
        histogram_divergence(*((broken, fine) if first else (fine, broken)))


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0)])
def test_there_must_be_pixels(sizes):
    with pytest.raises(ValueError, match="no pixels"):
        histogram_divergence(*map(torch.zeros, sizes))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"value_range": (1.0, 1.0)}, "value_range"),
        ({"value_range": (0.0, math.nan)}, "value_range"),
        ({"value_range": (0.0, math.inf)}, "value_range"),
        ({"value_range": (0.0, 1.0, 2.0)}, "value_range"),
        ({"bins": 1}, "bins"),
        ({"eps": 0.0}, "eps"),
        ({"eps": 1.0}, "eps"),
    ],
)
def test_options_are_checked(options, match):
    with pytest.raises(ValueError, match=f"{match} must be"):
        histogram_divergence(*pair(), **options)
    with pytest.raises(ValueError, match=f"{match} must be"):
        HistogramDivergence(**options)


@pytest.mark.parametrize("sizes", [[6], [1] * 6, [4, 2], [1, 5]])
def test_batches_of_any_size_add_up(sizes):
    real, fake = pair()
    metric = HistogramDivergence()
    for _ in range(2):
        metric.reset()
        for images, reconstructions in zip(real.split(sizes), fake.split(sizes), strict=True):
            metric.update((images, list(reconstructions)))
        assert metric.compute() == histogram_divergence(real, fake)


class Squares(torch.nn.Module):
    def forward(self, image):
        return image.mean(1, keepdim=True)

    def reconstruct(self, image):
        return image + 1 if self.training else image**2


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("decollate", [True, False])
def test_is_a_metric_of_a_stock_evaluator(asked, decollate):
    images = pair((7, 2, 6, 6))[0]
    network = Squares().train()
    metric = HistogramDivergence(network) if asked else HistogramDivergence(bins=10)
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset([{"image": image} for image in images]), batch_size=3),
        network=network,
        prepare_batch=lambda batch, *_, **__: (batch["image"], None),
        postprocessing=None if asked else lambda item: {**item, "reconstruction": item["image"] / 2},
        key_val_metric={"key": HistogramDivergence(network)},  # MONAI ignores the others without one
        additional_metrics={"kl": metric},
        decollate=decollate,
    )
    expected = histogram_divergence(images, images**2) if asked else histogram_divergence(images, images / 2, bins=10)
    for epoch in (1, 2):
        evaluator.run(epoch)
        assert evaluator.state.metrics["kl"] == expected
    assert network.training


def test_keys_of_the_output_may_be_others():
    real, fake = pair()
    engine = Engine(lambda e, b: {"a": real, "b": fake})
    HistogramDivergence(output_transform=lambda output: (output["a"], output["b"])).attach(engine, "kl")
    assert engine.run([0, 1]).metrics["kl"] == histogram_divergence(real, fake)


def test_what_is_kept_does_not_grow():
    metric = HistogramDivergence(bins=4)
    for _ in range(5):
        metric.update(pair())
    held = [value for value in vars(metric).values() if isinstance(value, torch.Tensor)]
    assert [tuple(tensor.shape) for tensor in held] == [(2, 5)]


@pytest.mark.parametrize(("batches", "reason"), [([], "no pixels"), ([torch.full((1, 1, 2, 2), math.nan)], "finite")])
def test_undefined_is_nan_with_one_warning_per_run(batches, reason):
    metric = HistogramDivergence()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            metric.reset()
            for batch in batches:
                metric.update((batch, torch.zeros(1, 1, 2, 2)))
            assert math.isnan(metric.compute())
    assert len(caught) == 1 and reason in str(caught[0].message)


def test_a_network_without_reconstructions_is_refused():
    with pytest.raises(ValueError, match="Identity has no `reconstruct`"):
        HistogramDivergence(torch.nn.Identity())
