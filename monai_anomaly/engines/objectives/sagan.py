# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What SAGAN minimizes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_anomaly.data.sets.paired import POOL_IMAGE
from monai_anomaly.engines.objectives.base import Batch, Objective, Terms, Update, leave_intact
from monai_anomaly.losses.wasserstein import WassersteinCriticLoss, WassersteinGeneratorLoss
from monai_anomaly.networks.nets.sagan.sagan import SAGAN

__all__ = ["RESTORATIONS", "SAGANObjective"]

RESTORATIONS = ("squared", "relative")

_LEAST_CHANGE = 1e-6  # keeps the relative error finite for a batch in which nothing was changed


class SAGANObjective(Objective):
    r"""Normals stay as they are, pseudo-anomalies are undone, and restored images of the pool look normal to a critic.

    An iteration makes `n_critic` steps of the critic D, then one of the generator G:

    .. math::
        L_D &= E\,D(G(x_u)) - E\,D(x_n) + w_{gp} E\,(\|\nabla D(\hat x)\| - 1)^2, \\
        L_G &= -w_a E\,D(G(x_u)) + w_i E\,|x_n - G(x_n)| + w_r R(x_n, G(x_p)),

    for normals :math:`x_n`, images :math:`x_u` of the unlabeled pool, pseudo-anomalies :math:`x_p` made of normals,
    and R the mean squared error or its share of what the pseudo-anomalies changed (see `restoration`). No label of the
    pool is ever seen. Without a pool there is no critic, and the two other terms remain.

    The result is that of the published steps: in the critic's step the generator has no graph, its three kinds of
    images take one pass in its own step, and the critic has no gradients there.

    Args:
        detector: the detector to train.
        critic: ``(B, C, S, S)`` in [-1, 1] to ``(B, 1)``.
        corrupt: normals ``(B, C, S, S)`` to pseudo-anomalies and their mask (not used).
        pool: whether batches have images of a pool, under ``unlabeled``.
        n_critic: critic steps in an iteration.
        adversarial_weight: :math:`w_a`.
        identity_weight: :math:`w_i`.
        restoration_weight: :math:`w_r`.
        gp_weight: :math:`w_{gp}`, of the gradient penalty.
        restoration: "squared", as published; or "relative", the sum of squared errors of the batch over that of leaving
            the pseudo-anomalies as they are, which is 1 for a generator that does nothing, whatever their size.
        augment: changes the images ``(B, C, S, S)`` of each step, those of the pool, too.

    Raises:
        ValueError: on an argument outside its range; in a step on a batch without the pool that was promised.

    Source: SAGAN (Zhang et al., MICCAI 2024, https://arxiv.org/abs/2405.12872); the critic's loss is that of Gulrajani
    et al., "Improved Training of Wasserstein GANs", https://arxiv.org/abs/1704.00028.
    """

    detector: SAGAN

    def __init__(
        self,
        detector: SAGAN,
        critic: nn.Module,
        corrupt: Callable[[Tensor], tuple[Tensor, Tensor]],
        *,
        pool: bool = True,
        n_critic: int = 2,
        adversarial_weight: float = 1.0,
        identity_weight: float = 1.0,
        restoration_weight: float = 1.0,
        gp_weight: float = 10.0,
        restoration: str = "squared",
        augment: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(augment)
        weights = {
            "adversarial_weight": adversarial_weight,
            "identity_weight": identity_weight,
            "restoration_weight": restoration_weight,
        }
        for name, weight in weights.items():
            if weight < 0.0:
                raise ValueError(f"{name} must not be negative, got {weight}.")
        if restoration not in RESTORATIONS:
            raise ValueError(f"restoration must be one of {', '.join(map(repr, RESTORATIONS))}, got {restoration!r}.")
        self.detector = detector
        self.critic = critic
        self.corrupt = corrupt
        self.adversarial = pool and adversarial_weight > 0.0
        self.n_critic = n_critic
        self.adversarial_weight = adversarial_weight
        self.identity_weight = identity_weight
        self.restoration_weight = restoration_weight
        self.restoration = restoration
        self.critic_loss = WassersteinCriticLoss(drift=0.0, penalty_weight=gp_weight)
        self.generator_loss = WassersteinGeneratorLoss()

    def reduce_to_arithmetic(self) -> None:
        """Train on the images as they are."""
        super().reduce_to_arithmetic()
        self.corrupt = leave_intact

    def updates(self) -> list[Update]:
        """Return the critic's update, if there is a pool, then the generator's."""
        generator = Update("generator", (self.detector.generator,), self.generator_terms)
        if not self.adversarial:
            return [generator]
        return [Update("critic", (self.critic,), self.critic_terms, repeats=self.n_critic), generator]

    def compilable(self) -> list[nn.Module]:
        """Return the generator; the critic has a gradient penalty."""
        return [self.detector.generator]

    def critic_terms(self, batch: Batch) -> Terms:
        """Return the critic's losses for a batch with `image` and `unlabeled`, both ``(B, C, S, S)``."""
        with torch.no_grad():  # the critic alone is trained here
            normal = self.detector.signal(self.augmented(batch["image"]))
            restored = self.detector.generator(self._pool(batch))
        terms = self.critic_loss(self.critic, normal, restored)
        return {f"critic_{name}": term for name, term in terms.items() if name != "drift"}

    def generator_terms(self, batch: Batch) -> Terms:
        """Return the generator's losses for `image` and, with a pool, `unlabeled`, both ``(B, C, S, S)``."""
        with torch.no_grad():
            image = self.augmented(batch["image"])
            normal = self.detector.signal(image)
            corrupted = self.detector.signal(self.corrupt(image)[0])
            inputs = [normal, corrupted, self._pool(batch)] if self.adversarial else [normal, corrupted]
        # one pass: an image gives the same in any batch
        kept, undone, *restored = self.detector.generator(torch.cat(inputs)).float().split(len(image))
        terms = {
            "identity": self.identity_weight * F.l1_loss(kept, normal),
            "restoration": self.restoration_weight * self._error(undone, normal, corrupted),
        }
        if restored:
            terms["adversarial"] = self.adversarial_weight * self.generator_loss(self.critic(restored[0]))
        return terms

    def _error(self, undone: Tensor, normal: Tensor, corrupted: Tensor) -> Tensor:
        if self.restoration == "squared":
            return F.mse_loss(undone, normal)
        return F.mse_loss(undone, normal) / (F.mse_loss(corrupted, normal) + _LEAST_CHANGE)

    def _pool(self, batch: Batch) -> Tensor:
        if POOL_IMAGE not in batch:
            raise ValueError(
                f"a batch must have '{POOL_IMAGE}' beside 'image', which PairedDataset gives it; or set pool to False."
            )
        return self.detector.signal(self.augmented(batch[POOL_IMAGE]))
