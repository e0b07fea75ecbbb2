# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_anomaly.losses.wasserstein import WassersteinCriticLoss, WassersteinGeneratorLoss, gradient_penalty
from monai_anomaly.networks.nets.sepiad.critics import ImageCritic, LatentCritic


def _samples(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class _Linear(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x.flatten(1) @ self.weight[:, None]


@pytest.mark.parametrize("target_norm", [1.0, 2.5])
def test_penalty_of_a_linear_critic_has_a_closed_form(target_norm):
    weight = _samples(12)
    critic = _Linear(weight)
    real, fake = _samples(5, 3, 2, 2, seed=1), _samples(5, 3, 2, 2, seed=2)
    penalty = gradient_penalty(critic, real, fake, target_norm=target_norm)
    norm = weight.norm()
    torch.testing.assert_close(penalty, ((norm - target_norm) / target_norm) ** 2)
    penalty.backward()
    torch.testing.assert_close(critic.weight.grad, 2 * (norm - target_norm) / target_norm**2 * weight / norm)


def test_penalty_of_a_quadratic_critic_shows_the_mixing_of_samples():
    real, fake = _samples(4, 3, seed=1), _samples(4, 3, seed=2)
    penalty = gradient_penalty(
        lambda x: x.square().sum(dim=1) / 2, real, fake, generator=torch.Generator().manual_seed(7)
    )
    share = torch.rand(4, generator=torch.Generator().manual_seed(7))[:, None]
    mixed = share * real + (1 - share) * fake  # the gradient of |x|^2 / 2 is x
    torch.testing.assert_close(penalty, (mixed.norm(dim=1) - 1).square().mean())


def test_gradient_of_the_penalty_agrees_with_finite_differences():
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1))
    real, fake = _samples(4, 6, seed=1), _samples(4, 6, seed=2)

    def penalty():
        return gradient_penalty(critic, real, fake, generator=torch.Generator().manual_seed(3))

    penalty().backward()
    weight, step = critic[0].weight, 1e-2
    for i, j in [(0, 0), (2, 3), (4, 5)]:
        with torch.no_grad():
            weight[i, j] += step
        above = penalty().item()
        with torch.no_grad():
            weight[i, j] -= 2 * step
        below = penalty().item()
        with torch.no_grad():
            weight[i, j] += step
        assert float(weight.grad[i, j]) == pytest.approx((above - below) / (2 * step), rel=1e-2, abs=1e-4)


def test_a_critic_with_zero_gradient_gives_finite_gradients():
    critic = _Linear(torch.zeros(6))
    penalty = gradient_penalty(critic, _samples(2, 6), _samples(2, 6, seed=1))
    penalty.backward()
    assert penalty.item() == 1.0
    assert torch.isfinite(critic.weight.grad).all()


def test_penalty_is_in_float32_under_autocast():
    critic = ImageCritic(32, channels=[4] * 4)
    real, fake = _samples(2, 1, 32, 32), _samples(2, 1, 32, 32, seed=1)
    plain = gradient_penalty(critic, real, fake, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = gradient_penalty(critic, real, fake, generator=torch.Generator().manual_seed(0))
    assert torch.equal(plain, cast)


def test_penalty_works_where_gradients_are_off():
    with torch.no_grad():
        assert gradient_penalty(_Linear(torch.ones(4)), _samples(2, 4), _samples(2, 4, seed=1)) == 1.0


def test_critic_terms_equal_the_formula():
    weight = _samples(6)
    real, fake = _samples(4, 6, seed=1), _samples(4, 6, seed=2)
    terms = WassersteinCriticLoss(drift=0.01, penalty_weight=10.0)(_Linear(weight), real, fake)
    on_real, on_fake = real @ weight, fake @ weight
    torch.testing.assert_close(terms["wasserstein"], -(on_real.mean() - on_fake.mean()))
    torch.testing.assert_close(terms["drift"], 0.01 * (on_real.square().mean() + on_fake.square().mean()))
    torch.testing.assert_close(terms["penalty"], 10.0 * (weight.norm() - 1) ** 2)


def test_real_and_fake_share_a_pass_unless_the_critic_mixes_a_batch():
    real, fake = _samples(3, 6, seed=1), _samples(3, 6, seed=2)
    loss = WassersteinCriticLoss(penalty_weight=0.0)
    shared, separate = _Linear(_samples(6)), _Linear(_samples(6))
    separate.mixes_batch = True
    first, second = loss(shared, real, fake), loss(separate, real, fake)
    assert (shared.calls, separate.calls) == (1, 2)
    assert "penalty" not in first
    for name in first:
        torch.testing.assert_close(first[name], second[name])


@pytest.mark.parametrize("arch", ["residual", "paper"])
def test_trains_image_and_latent_critic_but_not_what_made_the_fakes(arch):
    torch.manual_seed(0)
    cases = [(ImageCritic(32, channels=[4] * 4, arch=arch), (2, 1, 32, 32)), (LatentCritic(4), (2, 4, 1, 1))]
    for critic, shape in cases:
        fake = torch.randn(shape, requires_grad=True)
        sum(WassersteinCriticLoss()(critic, torch.randn(shape), fake).values()).backward()
        assert fake.grad is None
        # the last bias alone has no part in the difference of two means, but in the drift
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in critic.parameters())


def test_generator_loss_is_the_negative_mean_and_has_a_gradient():
    on_fake = torch.tensor([[1.0], [3.0]], requires_grad=True)
    loss = WassersteinGeneratorLoss()(on_fake)
    loss.backward()
    assert loss == -2.0
    assert torch.equal(on_fake.grad, torch.full((2, 1), -0.5))


def test_refuses_other_shapes_and_weights():
    with pytest.raises(ValueError, match="match in shape"):
        WassersteinCriticLoss()(_Linear(torch.ones(4)), _samples(2, 4), _samples(3, 4))
    for arguments in ({"drift": -1.0}, {"penalty_weight": -1.0}, {"target_norm": 0.0}):
        with pytest.raises(ValueError, match="must not be negative"):
            WassersteinCriticLoss(**arguments)
