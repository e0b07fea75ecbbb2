# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
import math
import statistics

import pytest
import torch

from monai_anomaly.engines.objectives.weight_policy import GradientNormWeights


class SlowPolicy:
    """The policy with plain loops and lists; what is not finite is skipped."""

    def __init__(self, history):
        self.history, self.pairs, self.weight = history, [], 1.0

    def observe(self, adversarial, reconstruction):
        self.pairs.append([[g.float().norm().item() for g in side] for side in (adversarial, reconstruction)])
        self.pairs = self.pairs[-self.history :]
        ratios = []
        for tensor in range(len(adversarial)):
            series = []
            for side in (0, 1):
                smoothed = []
                for pair in self.pairs:
                    value, last = pair[side][tensor], smoothed[-1] if smoothed else math.nan
                    if not math.isfinite(last):
                        smoothed.append(value)
                    else:
                        smoothed.append(0.95 * last + 0.05 * value if math.isfinite(value) else last)
                series.append(smoothed)
            for a, b in zip(*series, strict=True):
                if b != 0 and math.isfinite(a / b):
                    ratios.append(a / b)
        if ratios:
            self.weight = statistics.median(ratios)


def _gradients(generator, count=5):
    return [torch.randn(3, i + 1, generator=generator) * 10.0 ** (i - 2) for i in range(count)]


@pytest.mark.parametrize("steps", [1, 2, 7, 40])
def test_equals_the_slow_form_beyond_the_history(steps):
    generator = torch.Generator().manual_seed(0)
    fast, slow = GradientNormWeights(history=16), SlowPolicy(16)
    for _ in range(steps):
        pair = _gradients(generator), _gradients(generator)
        assert fast.observe(*pair) == fast.weight
        slow.observe(*pair)
        assert fast.weight == pytest.approx(slow.weight, rel=1e-6)


def test_equals_the_slow_form_with_values_that_are_not_finite():
    generator = torch.Generator().manual_seed(1)
    fast, slow = GradientNormWeights(history=8), SlowPolicy(8)
    for step in range(30):
        pair = _gradients(generator), _gradients(generator)
        if step % 3 == 0:
            pair[0][step % 5].fill_(math.inf)
        if step % 4 == 0:
            pair[1][step % 5].zero_()
        if step % 7 == 0:
            pair[1][(step + 1) % 5].fill_(math.nan)
        fast.observe(*pair)
        slow.observe(*pair)
        assert math.isfinite(fast.weight)
        assert fast.weight == pytest.approx(slow.weight, rel=1e-6)


def test_first_observation_gives_the_median_ratio_of_norms():
    policy = GradientNormWeights()
    adversarial = [torch.tensor([3.0, 4.0]), torch.tensor([1.0]), torch.tensor([8.0])]
    reconstruction = [torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor([4.0])]
    assert policy.observe(adversarial, reconstruction) == 2.0  # of 5, 0.5 and 2


def test_starts_at_one_or_where_asked():
    assert GradientNormWeights().weight == 1.0
    assert GradientNormWeights(initial=10.0).weight == 10.0


@pytest.mark.parametrize(("adversarial", "reconstruction"), [(1.0, 0.0), (0.0, 0.0), (math.nan, 1.0), (math.inf, 1.0)])
def test_keeps_its_weight_when_no_ratio_is_finite(adversarial, reconstruction):
    policy = GradientNormWeights(initial=3.0)
    assert policy.observe([torch.full((2,), adversarial)], [torch.full((2,), reconstruction)]) == 3.0


def test_forgets_what_is_older_than_its_history():
    policy = GradientNormWeights(history=3)
    policy.observe([torch.tensor([1000.0])], [torch.tensor([1.0])])
    for _ in range(3):
        policy.observe([torch.tensor([2.0])], [torch.tensor([1.0])])
    assert policy.weight == 2.0


def test_an_overflow_does_not_stay():
    policy = GradientNormWeights()
    policy.observe([torch.tensor([math.inf])], [torch.tensor([1.0])])
    assert policy.observe([torch.tensor([2.0])], [torch.tensor([1.0])]) == 2.0


def test_a_common_factor_does_not_matter():
    generator = torch.Generator().manual_seed(2)
    plain, scaled = GradientNormWeights(), GradientNormWeights()
    for _ in range(5):
        adversarial, reconstruction = _gradients(generator), _gradients(generator)
        plain.observe(adversarial, reconstruction)
        scaled.observe([1024.0 * g for g in adversarial], [1024.0 * g for g in reconstruction])
    assert scaled.weight == pytest.approx(plain.weight, rel=1e-6)


def test_half_precision_gradients_do_not_overflow():
    policy = GradientNormWeights()
    big = torch.full((100,), 6e4, dtype=torch.float16)
    assert policy.observe([big], [big]) == pytest.approx(1.0)


def test_resume_is_bit_exact():
    generator = torch.Generator().manual_seed(3)
    steps = [(_gradients(generator), _gradients(generator)) for _ in range(12)]
    whole = GradientNormWeights(history=5)
    for pair in steps[:7]:
        whole.observe(*pair)
    buffer = io.BytesIO()
    torch.save(whole.state_dict(), buffer)
    buffer.seek(0)
    resumed = GradientNormWeights(history=5)
    resumed.load_state_dict(torch.load(buffer, weights_only=True))
    assert resumed.weight == whole.weight
    for pair in steps[7:]:
        assert whole.observe(*pair) == resumed.observe(*pair)


def test_resume_before_the_first_observation():
    policy = GradientNormWeights()
    policy.load_state_dict(GradientNormWeights(initial=4.0).state_dict())
    assert policy.weight == 4.0
    assert policy.observe([torch.ones(1), torch.ones(1)], [torch.ones(1), torch.ones(1)]) == 1.0


def test_saved_state_does_not_change_afterwards():
    policy = GradientNormWeights()
    policy.observe([torch.ones(1)], [torch.ones(1)])
    saved = policy.state_dict()
    policy.observe([torch.tensor([5.0])], [torch.ones(1)])
    assert saved["norms"].shape == (1, 2, 1)
    assert saved["weight"] == 1.0


def test_refuses_what_does_not_match():
    policy = GradientNormWeights()
    one = [torch.ones(1)]
    with pytest.raises(ValueError, match="got 1 and 2 gradients"):
        policy.observe(one, one * 2)
    with pytest.raises(ValueError, match="got 0 and 0 gradients"):
        policy.observe([], [])
    policy.observe(one, one)
    with pytest.raises(ValueError, match="gradients of 1 tensors as before, got 2"):
        policy.observe(one * 2, one * 2)
    with pytest.raises(ValueError, match="lacks"):
        policy.load_state_dict({"weight": 1.0})
    with pytest.raises(ValueError, match="shape"):
        policy.load_state_dict({"weight": 1.0, "norms": torch.zeros(3, 3)})


@pytest.mark.parametrize("arguments", [{"history": 0}, {"smoothing": 0.0}, {"smoothing": 1.5}])
def test_refuses_arguments_out_of_range(arguments):
    with pytest.raises(ValueError, match="history must be at least 1"):
        GradientNormWeights(**arguments)


def test_a_factor_makes_the_reconstructions_gradients_so_many_times_larger():
    generator = torch.Generator().manual_seed(2)
    pairs = [(_gradients(generator), _gradients(generator)) for _ in range(3)]
    plain, stronger = GradientNormWeights(), GradientNormWeights(factor=10.0)
    for pair in pairs:
        assert stronger.observe(*pair) == pytest.approx(10.0 * plain.observe(*pair))


def test_a_factor_must_be_positive():
    with pytest.raises(ValueError, match=r"factor must be positive and finite, got 0\.0"):
        GradientNormWeights(factor=0.0)
