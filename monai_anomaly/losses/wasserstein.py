# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.modules.loss import _Loss

__all__ = ["WassersteinCriticLoss", "WassersteinGeneratorLoss", "gradient_penalty"]


def gradient_penalty(
    critic: Callable[[torch.Tensor], torch.Tensor],
    real: torch.Tensor,
    fake: torch.Tensor,
    *,
    target_norm: float = 1.0,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Penalty on the critic's gradient between real and fake samples, ``mean ((|grad D(x)|_2 - g) / g)^2``.

    ``x = a real + (1 - a) fake`` with one ``a ~ U(0, 1)`` per sample; the norm is over the flattened sample. In
    float32, whatever autocast says: squared gradients overflow and vanish in float16. A gradient of zero is safe.

    Args:
        critic: maps ``(B, ...)`` to one number per sample.
        real: real samples ``(B, ...)``.
        fake: fake samples of the same shape.
        target_norm: the norm g aimed at, positive.
        generator: source of ``a``; None takes the device's default.

    Returns:
        A scalar with a graph to the critic's parameters, not yet weighted.

    Source: Gulrajani et al., "Improved Training of Wasserstein GANs", https://arxiv.org/abs/1704.00028.
    """
    device = real.device if generator is None else generator.device
    share = torch.rand(real.shape[0], generator=generator, device=device).to(real.device, non_blocking=True)
    share = share.reshape(-1, *[1] * (real.dim() - 1))
    mixed = torch.lerp(fake.detach().float(), real.detach().float(), share).requires_grad_(True)
    with torch.enable_grad(), torch.autocast(device_type=real.device.type, enabled=False):
        (gradient,) = torch.autograd.grad(critic(mixed).float().sum(), mixed, create_graph=True)
        norm = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
        return ((norm - target_norm) / target_norm).square().mean()


class WassersteinCriticLoss(_Loss):
    """Loss of a Wasserstein critic with gradient penalty and drift.

    ``-(E D(real) - E D(fake)) + drift (E D(real)^2 + E D(fake)^2) + penalty_weight * gradient_penalty``.
    MONAI's ``PatchAdversarialLoss`` offers neither a Wasserstein criterion nor a penalty.

    Args:
        drift: weight that keeps the outputs near zero.
        penalty_weight: weight of the gradient penalty.
        target_norm: gradient norm that the penalty aims at.

    Raises:
        ValueError: on a negative weight or a target norm that is not positive.
    """

    def __init__(self, drift: float = 1e-3, penalty_weight: float = 10.0, *, target_norm: float = 1.0) -> None:
        super().__init__()
        if drift < 0.0 or penalty_weight < 0.0 or target_norm <= 0.0:
            raise ValueError(
                "drift and penalty_weight must not be negative and target_norm must be positive, "
                f"got {drift}, {penalty_weight} and {target_norm}."
            )
        self.drift = drift
        self.penalty_weight = penalty_weight
        self.target_norm = target_norm

    def forward(
        self,
        critic: nn.Module,
        real: torch.Tensor,
        fake: torch.Tensor,
        *,
        generator: torch.Generator | None = None,
    ) -> dict[str, torch.Tensor]:
        """Return the weighted terms; their sum is the loss.

        Args:
            critic: maps ``(B, ...)`` to one number per sample. Real and fake share one forward pass unless the critic
                has a true attribute ``mixes_batch`` (a minibatch statistic).
            real: real samples ``(B, ...)``.
            fake: fake samples of the same shape; no gradient flows into them.
            generator: source of randomness of the penalty.

        Returns:
            Scalars ``"wasserstein"``, ``"drift"`` and, when its weight is not 0, ``"penalty"``, in float32.

        Raises:
            ValueError: when the shapes of real and fake differ.
        """
        if real.shape != fake.shape:
            raise ValueError(f"real and fake must match in shape, got {tuple(real.shape)} and {tuple(fake.shape)}.")
        fake = fake.detach()
        if getattr(critic, "mixes_batch", False):
            on_real, on_fake = critic(real).float(), critic(fake).float()
        else:
            on_real, on_fake = critic(torch.cat([real, fake.to(real.dtype)])).float().chunk(2)
        terms = {
            "wasserstein": on_fake.mean() - on_real.mean(),
            "drift": self.drift * (on_real.square().mean() + on_fake.square().mean()),
        }
        if self.penalty_weight > 0.0:
            penalty = gradient_penalty(critic, real, fake, target_norm=self.target_norm, generator=generator)
            terms["penalty"] = self.penalty_weight * penalty
        return terms


class WassersteinGeneratorLoss(_Loss):
    """Loss of what a Wasserstein critic judges (generator or encoder): ``-E D(fake)``."""

    def forward(self, on_fake: torch.Tensor) -> torch.Tensor:
        """Critic outputs ``(B, 1)`` on the fake samples to a scalar in float32."""
        return -on_fake.float().mean()
