# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from monai_anomaly.engines.objectives.sepiad import SEPIADObjective
from monai_anomaly.losses.relative_perceptual import RelativePerceptualL1Loss
from monai_anomaly.networks.blocks.squeeze_excitation import SqueezeExcitation
from monai_anomaly.networks.nets.sepiad.critics import ImageCritic, LatentCritic
from monai_anomaly.networks.nets.sepiad.sepiad import SEPIAD

WIDTHS = [4, 4, 4, 4]


def make(se=True, **kwargs):
    torch.manual_seed(0)
    detector = SEPIAD(
        32,
        1,
        encoder_channels=WIDTHS,
        decoder_channels=WIDTHS,
        latent_channels=8,
        se=se,
        feature_layers=("r12", "r22"),
        feature_width=0.1,
    )
    detector.features.fit_statistics([torch.rand(4, 1, 32, 32)])
    critic = ImageCritic(32, 1, channels=WIDTHS, se=se)
    return SEPIADObjective(detector, critic, LatentCritic(8, hidden_channels=[16]), **kwargs)


def batch(n=4):
    torch.manual_seed(5)
    return {"image": torch.rand(n, 1, 32, 32), "row": torch.arange(n)}


def gradients(module):
    return {name: p.grad.clone() for name, p in module.named_parameters()}


def slow_step(objective, data, g_encoder, g_decoder):
    """The update as published: one backward of the reconstruction, rescaled per network, then one of the rest."""
    detector = objective.detector
    x = 2 * data["image"] - 1
    z = detector.encoder(x)
    y = detector.decoder(z)
    rec = RelativePerceptualL1Loss(detector.layer_shares)(
        detector.features(data["image"]), detector.features((y + 1) / 2)
    )
    generated = detector.decoder(torch.randn(len(x), 8, 1, 1))
    adversarial = -objective.image_critic(generated).mean() - objective.latent_critic(z).mean()
    detector.zero_grad()
    rec.backward(retain_graph=True)
    for network, g in ((detector.encoder, g_encoder), (detector.decoder, g_decoder)):
        for p in network.parameters():
            p.grad *= g
    rec_gradients = gradients(detector.encoder), gradients(detector.decoder)
    adversarial.backward()
    return gradients(detector.encoder), gradients(detector.decoder), rec_gradients


@pytest.mark.parametrize("due", [True, False])
def test_gradients_equal_the_published_update(due):
    objective = make()
    for name in ("encoder_policy", "decoder_policy"):
        getattr(objective, name).weight = {"encoder_policy": 3.0, "decoder_policy": 0.5}[name]
    objective.steps = 99 if due else 0
    data = batch()
    torch.manual_seed(7)
    objective.generator_backward(objective.generator_terms(data))
    ours = gradients(objective.detector.encoder), gradients(objective.detector.decoder)
    torch.manual_seed(7)
    *expected, _ = slow_step(objective, data, objective.encoder_policy.weight, objective.decoder_policy.weight)
    for mine, theirs in zip(ours, expected, strict=True):
        for name in theirs:
            torch.testing.assert_close(mine[name], theirs[name], rtol=1e-4, atol=1e-6)


def test_policy_takes_the_median_ratio_of_gradient_norms():
    objective = make(policy_interval=1)
    data = batch()
    torch.manual_seed(7)
    objective.generator_backward(objective.generator_terms(data))
    torch.manual_seed(7)
    total_e, total_d, (rec_e, rec_d) = slow_step(objective, data, 1.0, 1.0)
    for policy, total, rec in (
        (objective.encoder_policy, total_e, rec_e),
        (objective.decoder_policy, total_d, rec_d),
    ):
        ratios = [
            float((total[n] - rec[n]).norm() / rec[n].norm()) for n in rec if n.endswith("weight") and rec[n].any()
        ]
        assert policy.weight == pytest.approx(float(np.median(ratios)), rel=1e-3)
        assert policy.weight != 1.0


def test_policy_is_due_every_interval_and_never_without_adversaries():
    objective = make(policy_interval=3)
    due = []
    for _ in range(7):
        due.append(objective._policy_due())
        objective.generator_backward(objective.generator_terms(batch()))
    assert due == [False, False, True, False, False, True, False]
    assert not make(adversarial=False)._policy_due()
    assert not make(policy_interval=None)._policy_due()


def test_a_decoder_weight_of_zero_leaves_the_encoder_s_alone():
    objective = make(encoder_weight=2.0, decoder_weight=0.0)
    data = batch()
    torch.manual_seed(7)
    objective.generator_backward(objective.generator_terms(data))
    ours = gradients(objective.detector.encoder)
    torch.manual_seed(7)
    expected, *_ = slow_step(objective, data, 2.0, 0.0)
    for name in expected:
        torch.testing.assert_close(ours[name], expected[name], rtol=1e-4, atol=1e-6)


def test_without_adversaries_the_gradient_is_the_reconstruction_s():
    objective = make(adversarial=False)
    assert [u.name for u in objective.updates()] == ["generator"]
    data = batch()
    terms = objective.generator_terms(data)
    assert set(terms) == {"reconstruction"}
    objective.generator_backward(terms)
    ours = gradients(objective.detector.encoder)
    *_, (rec, _) = slow_step(objective, data, 1.0, 1.0)
    for name in rec:
        torch.testing.assert_close(ours[name], rec[name])


def test_critic_step_builds_no_graph_into_the_detector():
    objective = make()
    terms = objective.critic_terms(batch())
    sum(terms.values()).backward()
    assert all(p.grad is None for p in objective.detector.parameters())
    assert all(p.grad is not None for p in objective.latent_critic.parameters())


def test_critic_terms_are_the_published_ones():
    objective = make()
    data = batch()
    torch.manual_seed(3)
    ours = objective.critic_terms(data)["critic_latent"]
    torch.manual_seed(3)
    x = 2 * data["image"] - 1
    fake_x = objective.detector.decode(torch.randn(4, 8, 1, 1)).detach()
    fake = objective.detector.encode(x).detach()
    real = torch.randn(4, 8, 1, 1)
    torch.rand(len(fake_x))  # the image critic's penalty draws first
    share = torch.rand(4).reshape(-1, 1, 1, 1)
    mixed = (share * real + (1 - share) * fake).requires_grad_()
    critic = objective.latent_critic
    slope = torch.autograd.grad(critic(mixed).sum(), mixed)[0].flatten(1).norm(dim=1)
    d_real, d_fake = critic(real), critic(fake)
    expected = -(d_real.mean() - d_fake.mean()) + 1e-3 * (d_real.square().mean() + d_fake.square().mean())
    expected = expected + 10.0 * (slope - 1).square().mean()
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_cached_features_change_nothing():
    plain, cached = make(), make()
    data = batch()
    assert cached.cache_features(data["image"], batch_size=3)
    rows = {"image": data["image"][[2, 0]], "row": torch.tensor([2, 0])}
    torch.manual_seed(1)
    a = plain.generator_terms(rows)
    torch.manual_seed(1)
    b = cached.generator_terms(rows)
    for name in a:
        torch.testing.assert_close(a[name], b[name])
    calls = []
    cached.detector.features.register_forward_hook(lambda *_: calls.append(1))
    cached.generator_terms(rows)
    assert len(calls) == 1  # the reconstruction only


def test_nothing_is_cached_with_augmentation_or_too_little_memory():
    assert not make(augment=nn.Identity()).cache_features(batch()["image"])
    assert not make(cache_bytes=1000).cache_features(batch()["image"])


def test_corruption_reaches_the_encoder_only():
    objective = make(adversarial=False)
    data = batch()
    seen = []
    objective.detector.encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    objective.corrupt = lambda image: (torch.zeros_like(image), None)
    objective.generator_terms(data)
    torch.testing.assert_close(seen[0], torch.full_like(data["image"], -1.0))


def test_state_resumes_the_policy_exactly(tmp_path):
    objective = make(policy_interval=1)
    for _ in range(3):
        objective.generator_backward(objective.generator_terms(batch()))
    torch.save(objective.state_dict(), tmp_path / "state.pt")
    other = make(policy_interval=1)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for o in (objective, other):
        o.zero_grad()
        torch.manual_seed(2)
        o.generator_backward(o.generator_terms(batch()))
    assert objective.metrics() == other.metrics()
    assert objective.steps == other.steps == 4
    for a, b in zip(objective.detector.encoder.parameters(), other.detector.encoder.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


def test_piad_has_no_gates_and_trains():
    objective = make(se=False)
    assert not [m for m in objective.modules() if isinstance(m, SqueezeExcitation)]
    before = copy.deepcopy(objective.detector.encoder.state_dict())
    optimizer = torch.optim.Adam(objective.detector.encoder.parameters(), lr=1e-3)
    objective.generator_backward(objective.generator_terms(batch()))
    optimizer.step()
    assert any(not torch.equal(before[k], v) for k, v in objective.detector.encoder.state_dict().items())
