# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

__all__ = ["BCEDiscriminatorLoss", "BCEGeneratorLoss"]


class BCEDiscriminatorLoss(_Loss):
    """Cross entropy of a discriminator's logits, ``-E log D(real) - E log (1 - D(fake))``.

    From logits, and in float32: MONAI's ``PatchAdversarialLoss`` puts probabilities into a logarithm, which is clamped
    where the discriminator is sure of itself, so that the gradient is lost.

    Source: Goodfellow et al., "Generative Adversarial Nets", https://arxiv.org/abs/1406.2661, as SimSID uses it.
    """

    def forward(self, real: Tensor, fake: Tensor) -> Tensor:
        """Logits of real and fake images, of any shape, to a scalar."""
        return F.softplus(-real.float()).mean() + F.softplus(fake.float()).mean()


class BCEGeneratorLoss(_Loss):
    """The generator's side, not saturating: ``-E log D(fake)``.

    Minimizing the published ``E log (1 - D(fake))`` gives no gradient while the discriminator wins.

    Source: Goodfellow et al., "Generative Adversarial Nets", https://arxiv.org/abs/1406.2661, section 3.
    """

    def forward(self, fake: Tensor) -> Tensor:
        """Logits of fake images, of any shape, to a scalar."""
        return F.softplus(-fake.float()).mean()
