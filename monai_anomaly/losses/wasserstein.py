# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable

import torch

__all__ = ["critic_loss", "generator_loss", "gradient_penalty"]

# Functions, not a loss class: a critic's loss needs the critic itself, and the pieces run in different precision.
# MONAI's PatchAdversarialLoss offers neither a Wasserstein criterion nor a gradient penalty.


def critic_loss(
    critic: Callable[[torch.Tensor], torch.Tensor], real: torch.Tensor, fake: torch.Tensor, *, drift: float = 1e-3
) -> torch.Tensor:
    """Wasserstein loss of a critic, ``E D(fake) - E D(real) + drift (E D(real)^2 + E D(fake)^2)``, without penalty.

    Real and fake share one forward pass unless the critic has a true attribute ``mixes_batch``, which says that a
    sample's output depends on the rest of its batch.

    Args:
        critic: maps ``(B, ...)`` to one number per sample.
        real: real samples ``(B, ...)``.
        fake: fake samples of the same shape; no gradient flows into them.
        drift: weight that keeps the outputs near zero.

    Returns:
        A scalar, in float32.

    Raises:
        ValueError: when the shapes of real and fake differ.

    Source: Karras et al., "Progressive Growing of GANs", https://arxiv.org/abs/1710.10196 (drift).
    """
    if real.shape != fake.shape:
        raise ValueError(f"real and fake must match in shape, got {tuple(real.shape)} and {tuple(fake.shape)}.")
    fake = fake.detach()
    if getattr(critic, "mixes_batch", False):
        on_real, on_fake = critic(real).float(), critic(fake).float()
    else:
        on_real, on_fake = critic(torch.cat([real, fake.to(real.dtype)])).float().chunk(2)
    return on_fake.mean() - on_real.mean() + drift * (on_real.square().mean() + on_fake.square().mean())


def gradient_penalty(
    critic: Callable[[torch.Tensor], torch.Tensor],
    real: torch.Tensor,
    fake: torch.Tensor,
    *,
    weight: float = 10.0,
    target_norm: float = 1.0,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Penalty on a critic's gradient between real and fake samples, ``weight * mean ((|grad D(x)|_2 - g) / g)^2``.

    ``x = a real + (1 - a) fake`` with one ``a ~ U(0, 1)`` per sample; the norm is over the flattened sample. In float32
    whatever autocast says: squared gradients overflow and vanish in float16. A gradient of zero is safe.

    Args:
        critic: maps ``(B, ...)`` to one number per sample.
        real: real samples ``(B, ...)``.
        fake: fake samples of the same shape; no gradient flows into them.
        weight: factor of the penalty.
        target_norm: the norm g aimed at, positive.
        generator: source of ``a``; None takes the device's default.

    Returns:
        A scalar with a graph to the critic's parameters, in float32.

    Raises:
        ValueError: when the shapes of real and fake differ.

    Source: Gulrajani et al., "Improved Training of Wasserstein GANs", https://arxiv.org/abs/1704.00028.
    """
    if real.shape != fake.shape:
        raise ValueError(f"real and fake must match in shape, got {tuple(real.shape)} and {tuple(fake.shape)}.")
    device = real.device if generator is None else generator.device
    share = torch.rand(real.shape[0], generator=generator, device=device).to(real.device, non_blocking=True)
    share = share.reshape(-1, *[1] * (real.dim() - 1))
    mixed = torch.lerp(fake.detach().float(), real.detach().float(), share).requires_grad_(True)
    with torch.enable_grad(), torch.autocast(device_type=real.device.type, enabled=False):
        (gradient,) = torch.autograd.grad(critic(mixed).float().sum(), mixed, create_graph=True)
        norm = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
        return weight * ((norm - target_norm) / target_norm).square().mean()


def generator_loss(on_fake: torch.Tensor) -> torch.Tensor:
    """Loss of what a Wasserstein critic judges (generator or encoder): ``-E D(fake)``.

    Args:
        on_fake: the critic's outputs ``(B, 1)`` on the fake samples.

    Returns:
        A scalar, in float32.
    """
    return -on_fake.float().mean()
