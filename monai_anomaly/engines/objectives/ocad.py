# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What OCAD and IGD minimize."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from monai_anomaly.engines.objectives.base import Batch, Objective, Terms, Update
from monai_anomaly.losses.structural_l1 import StructuralL1Loss
from monai_anomaly.networks.blocks.gaussian_descriptor import saturating
from monai_anomaly.networks.nets.ocad.ocad import OCAD
from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["CRITIC_INPUTS", "OCADObjective", "mix"]

CRITIC_INPUTS = ("image", "latent")

_MOST_ALPHA = 0.5  # a mixture has less of its first source than of its partner


def mix(first: Tensor, second: Tensor, alpha: Tensor) -> Tensor:
    """``alpha * first + (1 - alpha) * second``, exactly ``second`` at 0; ``alpha`` is ``(B, 1)``, the others any."""
    return torch.lerp(second, first, alpha.view(-1, *[1] * (first.dim() - 1)).to(first.dtype))


class OCADObjective(Objective):
    r"""Restoration, latents close to those of the normals, and interpolations that no critic tells from images.

    An iteration makes one step of the critic, then one of encoder and decoder:

    .. math::
        L_C = (C(x_\alpha) - \alpha)^2 + C(\hat x + \gamma (x - \hat x))^2, \qquad
        L = L_{rec} + w_g (1 - e^{-d(z)}) + w_i C(x_\alpha)^2,

    each a mean over the batch, with :math:`\hat x` the restored image, :math:`d` the distance of the
    :class:`.GaussianDescriptor`, and :math:`x_\alpha` what is decoded from :math:`\alpha z + (1 - \alpha) z'`. The
    partner :math:`z'` is the latent of the image before it in the batch, and :math:`\alpha \sim U(0, 0.5)` is one
    number per image.

    The descriptor is not trained: :meth:`refresh` takes it from all training normals, and it stays as it is in between.
    Its weight grows from 0 to :math:`w_g` after the first epochs, when the latents mean something.

    Args:
        detector: the detector to train.
        critic: images ``(B, C, S, S)`` to ``(B, 1)``, or latents for ``critic_input="latent"``.
        critic_input: "image", what is decoded; or "latent", what it is decoded from.
        interpolation_weight: :math:`w_i`; at 0 there is no critic's step either.
        gaussian_weight: :math:`w_g`, in [0, 1]: above the restoration's weight, the latents would rather shrink.
        gamma: share of the image in what the critic is to call no mixture; a critic of latents sees those themselves.
        quiet_epochs: epochs without the Gaussian term.
        ramp_epochs: epochs in which its weight then grows to :math:`w_g`, in equal steps.
        augment: changes the images ``(B, C, S, S)`` of each step.

    Raises:
        ValueError: on an argument outside its range; in a step for a single image, which has no partner, or for a
            critic whose answer is not ``(B, 1)``.

    Source: IGD: Chen et al., "Deep one-class classification via interpolated Gaussian descriptor", AAAI 2022,
    https://arxiv.org/abs/2101.10043; ACAI: Berthelot et al., "Understanding and improving interpolation in autoencoders
    via an adversarial regularizer", ICLR 2019, https://arxiv.org/abs/1807.07543; W. Aljuhani, "One-Class Anomaly
    Detection" (OCAD), for the critic on latents.
    """

    detector: OCAD

    def __init__(
        self,
        detector: OCAD,
        critic: nn.Module,
        *,
        critic_input: str = "image",
        interpolation_weight: float = 0.1,
        gaussian_weight: float = 1.0,
        gamma: float = 0.2,
        quiet_epochs: int = 5,
        ramp_epochs: int = 5,
        augment: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(augment)
        if critic_input not in CRITIC_INPUTS:
            raise ValueError(
                f"critic_input must be one of {', '.join(map(repr, CRITIC_INPUTS))}, got {critic_input!r}."
            )
        if interpolation_weight < 0.0:
            raise ValueError(f"interpolation_weight must not be negative, got {interpolation_weight}.")
        for name, share in (("gaussian_weight", gaussian_weight), ("gamma", gamma)):
            if not 0.0 <= share <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], got {share}.")
        if min(quiet_epochs, ramp_epochs) < 0:
            raise ValueError(
                f"quiet_epochs and ramp_epochs must not be negative, got {quiet_epochs} and {ramp_epochs}."
            )
        self.detector = detector
        self.critic = critic
        self.critic_input = critic_input
        self.interpolation_weight = interpolation_weight
        self.gaussian_weight = gaussian_weight
        self.gamma = gamma
        self.quiet_epochs = quiet_epochs
        self.ramp_epochs = ramp_epochs
        self.reconstruction_loss = StructuralL1Loss(
            detector.image_size,
            structure_weight=detector.structure_weight,
            window=detector.window,
            levels=detector.levels,
        )
        self.descriptor = copy.deepcopy(detector.descriptor)  # the detector's own is refitted whenever it is to score
        self.present_weight = 0.0 if quiet_epochs or ramp_epochs else gaussian_weight
        self._note_spread()

    def updates(self) -> list[Update]:
        """Return the critic's update, if there is an interpolation term, then the detector's."""
        detector = self.detector
        parts = (detector.encoder, detector.bottleneck, detector.decoder)
        # the trainer has gradients computed for all that an update names, a frozen encoder's too
        trained = tuple(part for part in parts if not getattr(part, "frozen", False))
        generator = Update("generator", trained, self.generator_terms)
        if self.interpolation_weight == 0.0:
            return [generator]
        return [Update("critic", (self.critic,), self.critic_terms), generator]

    def compilable(self) -> list[nn.Module]:
        """Return encoder, decoder and critic; the bottleneck between them is called by its methods."""
        return [self.detector.encoder, self.detector.decoder, self.critic]

    # ---- the schedule --------------------------------------------------------------------------------------------

    def begin_epoch(self, epoch: int) -> None:
        """Set the Gaussian term's weight for an epoch, counted from 1."""
        steps = epoch - self.quiet_epochs
        share = min(1.0, max(0.0, steps / (self.ramp_epochs + 1)))
        self.present_weight = self.gaussian_weight * share
        self._note_spread()

    def refresh(self, images: ImageSequence) -> None:
        """Take the descriptor of the Gaussian term from all training normals ``(N, C, S, S)``, not augmented."""
        self.detector.fit_descriptor(images, self.descriptor)
        self._note_spread()

    def _note_spread(self) -> None:
        # not in each iteration, which would wait for the device
        self.latent_std = float(self.descriptor.variance.mean().sqrt())

    def metrics(self) -> dict[str, float]:
        """Return the Gaussian's weight, and the latents' standard deviation at the last refresh, to see a collapse."""
        return {"gaussian_weight": self.present_weight, "latent_std": self.latent_std}

    # ---- losses --------------------------------------------------------------------------------------------------

    def critic_terms(self, batch: Batch) -> Terms:
        """Return the critic's two errors for a batch `image` ``(B, C, S, S)``."""
        detector = self.detector
        with torch.no_grad():  # the critic alone is trained here
            image = self.augmented(batch["image"])
            latent = detector.encode(image)
            alpha = self._draw_alpha(latent)
            mixture = mix(latent, latent.roll(1, 0), alpha)
            if self.critic_input == "image":
                restored = detector.decode(latent)
                mixture, plain = detector.decode(mixture), restored + self.gamma * (image - restored)
            else:
                plain = latent
        return {
            "critic_mixture": (self._criticize(mixture) - alpha).square().mean(),
            "critic_plain": self._criticize(plain).square().mean(),
        }

    def generator_terms(self, batch: Batch) -> Terms:
        """Return the losses of encoder and decoder for a batch `image` ``(B, C, S, S)``."""
        detector = self.detector
        image = self.augmented(batch["image"])
        latent = detector.encode(image)
        restored = detector.decode(latent)
        terms = {"reconstruction": self.reconstruction_loss(detector.unit(restored), detector.unit(image))}
        if self.present_weight > 0.0:
            terms["gaussian"] = self.present_weight * saturating(self.descriptor(latent)).mean()
        if self.interpolation_weight > 0.0:
            mixture = mix(latent, latent.roll(1, 0), self._draw_alpha(latent))
            seen = detector.decode(mixture) if self.critic_input == "image" else mixture
            terms["interpolation"] = self.interpolation_weight * self._criticize(seen).square().mean()
        return terms

    def _draw_alpha(self, latent: Tensor) -> Tensor:
        """One coefficient per image, ``(B, 1)``, on the CPU first so that a seed means the same on every device."""
        if len(latent) < 2:
            raise ValueError(
                "an interpolation needs a partner, but a step has 1 image; set batch_size to at least 2, or "
                "interpolation_weight to 0."
            )
        return (_MOST_ALPHA * torch.rand(len(latent), 1)).to(latent.device)

    def _criticize(self, x: Tensor) -> Tensor:
        # An answer (B,) would be broadcast against alpha (B, 1): every image would be told the mean coefficient.
        answer = self.critic(x)
        if answer.shape != (len(x), 1):
            raise ValueError(f"the critic must answer with shape ({len(x)}, 1), got {tuple(answer.shape)}.")
        return answer.float()
