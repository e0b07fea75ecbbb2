# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from monai_anomaly.losses.adversarial_bce import BCEDiscriminatorLoss, BCEGeneratorLoss


def _logits(*shape, seed=0, scale=3.0):
    return (scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))).requires_grad_()


@pytest.mark.parametrize("scale", [3.0, 80.0])
@pytest.mark.parametrize("shape", [(7,), (3, 1, 4, 5)])
def test_both_equal_torch_s_cross_entropy_and_so_do_their_gradients(shape, scale):
    real, fake = _logits(*shape, scale=scale), _logits(*shape, seed=1, scale=scale)
    entropy, ones, zeros = nn.BCEWithLogitsLoss(), torch.ones(shape), torch.zeros(shape)
    cases = [
        (BCEDiscriminatorLoss()(real, fake), entropy(real, ones) + entropy(fake, zeros), (real, fake)),
        (BCEGeneratorLoss()(fake), entropy(fake, ones), (fake,)),
    ]
    for ours, theirs, inputs in cases:
        torch.testing.assert_close(ours, theirs)
        torch.testing.assert_close(torch.autograd.grad(ours, inputs), torch.autograd.grad(theirs, inputs))


def test_is_the_logarithm_of_probabilities():
    real, fake = [-2.0, 0.5, 3.0], [1.0, -4.0]

    def sigmoid(logit):
        return 1.0 / (1.0 + math.exp(-logit))

    on_real = sum(-math.log(sigmoid(x)) for x in real) / 3
    on_fake = sum(-math.log(1.0 - sigmoid(x)) for x in fake) / 2
    assert float(BCEDiscriminatorLoss()(torch.tensor(real), torch.tensor(fake))) == pytest.approx(on_real + on_fake)
    expected = sum(-math.log(sigmoid(x)) for x in fake) / 2
    assert float(BCEGeneratorLoss()(torch.tensor(fake))) == pytest.approx(expected)


def test_a_discriminator_that_is_sure_and_wrong_gives_the_whole_gradient():
    real, fake = torch.tensor([-1e4, 1e4], requires_grad=True), torch.tensor([1e4, -1e4], requires_grad=True)
    loss = BCEDiscriminatorLoss()(real, fake)
    assert float(loss) == 1e4  # half of each is right and costs nothing
    on_real, on_fake = torch.autograd.grad(loss, (real, fake))
    assert torch.equal(on_real, torch.tensor([-0.5, 0.0]))
    assert torch.equal(on_fake, torch.tensor([0.5, 0.0]))


def test_the_generator_learns_most_while_it_loses():
    fake = torch.tensor([-50.0, 50.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(BCEGeneratorLoss()(fake), fake)
    assert gradient.tolist() == pytest.approx([-0.5, 0.0], abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype):
    real, fake = _logits(64, scale=10.0).to(dtype), _logits(64, seed=1, scale=10.0).to(dtype)
    assert torch.equal(BCEDiscriminatorLoss()(real, fake), BCEDiscriminatorLoss()(real.float(), fake.float()))
    assert torch.equal(BCEGeneratorLoss()(fake), BCEGeneratorLoss()(fake.float()))
    assert BCEGeneratorLoss()(fake).dtype == torch.float32
