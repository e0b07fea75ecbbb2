# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What SEPIAD and PIAD minimize."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from monai_anomaly.engines.objectives.base import Batch, Objective, Terms, Update, leave_intact
from monai_anomaly.engines.objectives.weight_policy import GradientNormWeights
from monai_anomaly.losses.relative_perceptual import RelativePerceptualL1Loss
from monai_anomaly.losses.wasserstein import WassersteinCriticLoss, WassersteinGeneratorLoss
from monai_anomaly.networks.nets.sepiad.sepiad import SEPIAD
from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["SEPIADObjective"]


class SEPIADObjective(Objective):
    r"""Reconstruction that looks the same, latent vectors and generated images that the critics accept.

    An iteration makes `n_critic` steps of both critics (Wasserstein loss with gradient penalty and drift), then one of
    encoder and decoder:

    .. math::
        L_E = L_{adv,z} + g_E L_{rec}, \qquad L_G = L_{adv,x} + g_G L_{rec},

    with :math:`L_{rec}` the relative perceptual L1 loss and :math:`g_E, g_G` from the gradient-normalizing policy. PIAD
    is the same with a detector that has no squeeze-and-excitation.

    Only one backward pass is made in most steps: the reconstruction term is weighted with :math:`g_G`, and its gradient
    is rescaled by :math:`g_E / g_G` where it passes from the decoder into the encoder. When the policy is due, the two
    terms are differentiated apart, which gives it all four gradient norms without any extra pass.

    Args:
        detector: the detector to train; its features are frozen.
        image_critic: ``(B, C, H, W)`` in [-1, 1] to ``(B, 1)``.
        latent_critic: ``(B, D, 1, 1)`` to ``(B, 1)``.
        n_critic: critic steps in an iteration.
        adversarial: switch for both adversarial terms; without them the critics are not trained and the weights stay 1.
        gp_weight: weight of the gradient penalty.
        drift: weight of the critics' drift penalty.
        policy_interval: iterations between two updates of the weights; ``None`` fixes them.
        policy_factor: how many times as large as the adversarial gradients the policy makes the reconstruction's;
            1 as published. More holds the critics' noise out of the reconstruction.
        encoder_weight: :math:`g_E` to begin with.
        decoder_weight: :math:`g_G` to begin with.
        augment: changes the images ``(B, C, H, W)`` of each step; features of real images are then not cached.
        corrupt: gives a corrupted batch (and a mask, not used) for the encoder to see in the reconstruction, which is
            then asked for the clean image.
        cache_bytes: the most memory that cached features of real images may take.

    Source: Tuluptceva et al., "Perceptual Image Anomaly Detection", arXiv:1909.05904, sections 3.1 to 3.4.
    """

    detector: SEPIAD

    def __init__(
        self,
        detector: SEPIAD,
        image_critic: nn.Module,
        latent_critic: nn.Module,
        *,
        n_critic: int = 2,
        adversarial: bool = True,
        gp_weight: float = 10.0,
        drift: float = 1e-3,
        policy_interval: int | None = 100,
        policy_factor: float = 1.0,
        encoder_weight: float = 1.0,
        decoder_weight: float = 1.0,
        augment: Callable[[Tensor], Tensor] | None = None,
        corrupt: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None,
        cache_bytes: int = 2**30,
    ) -> None:
        super().__init__(augment)
        self.detector = detector
        self.image_critic = image_critic
        self.latent_critic = latent_critic
        self.latent_channels = detector.latent_channels
        self.n_critic = n_critic
        self.adversarial = adversarial
        self.critic_loss = WassersteinCriticLoss(drift, gp_weight)
        self.generator_loss = WassersteinGeneratorLoss()
        self.policy_interval = policy_interval
        self.encoder_policy = GradientNormWeights(initial=encoder_weight, factor=policy_factor)
        self.decoder_policy = GradientNormWeights(initial=decoder_weight, factor=policy_factor)
        self.corrupt = corrupt
        self.cache_bytes = cache_bytes
        self.perceptual_loss = RelativePerceptualL1Loss(detector.layer_shares)
        self.steps = 0
        self._encoder_ratio = 1.0
        self._cache: list[Tensor] | None = None

    def reduce_to_arithmetic(self) -> None:
        """Train on the images as they are, with fixed weights of the losses."""
        super().reduce_to_arithmetic()
        self.policy_interval = None
        if self.corrupt is not None:
            self.corrupt = leave_intact

    def updates(self) -> list[Update]:
        """Return the critics' update, if there is an adversarial term, then the detector's."""
        generator = Update(
            "generator",
            (self.detector.encoder, self.detector.decoder),
            self.generator_terms,
            backward=self.generator_backward,
        )
        if not self.adversarial:
            return [generator]
        critics = Update("critics", (self.image_critic, self.latent_critic), self.critic_terms, repeats=self.n_critic)
        return [critics, generator]

    def compilable(self) -> list[nn.Module]:
        """Return encoder, decoder and features; the critics have a gradient penalty."""
        return [self.detector.encoder, self.detector.decoder, self.detector.features]

    # ---- losses --------------------------------------------------------------------------------------------------

    def critic_terms(self, batch: Batch) -> Terms:
        """Loss of each critic, penalty and drift included, for a batch `image` ``(B, C, H, W)``."""
        real_x = 2.0 * self.augmented(batch["image"]) - 1.0
        with torch.no_grad():  # the critics alone are trained here
            fake_x = self.detector.decode(self._prior(len(real_x), real_x))
            fake_z = self.detector.encode(real_x)
        real_z = self._prior(len(real_x), real_x)
        return {
            "critic_image": _total(self.critic_loss(self.image_critic, real_x, fake_x)),
            "critic_latent": _total(self.critic_loss(self.latent_critic, real_z, fake_z)),
        }

    def generator_terms(self, batch: Batch) -> Terms:
        """Reconstruction and adversarial losses for a batch `image` ``(B, C, H, W)``, with `row` when cached."""
        image = self.augmented(batch["image"])
        x = 2.0 * image - 1.0
        seen = x if self.corrupt is None else 2.0 * self.corrupt(image)[0] - 1.0
        z = self.detector.encode(seen)
        reconstruction = self.detector.decode(self._rescaled(z))
        terms = {
            "reconstruction": self.perceptual_loss(
                self._real_features(image, batch), self.detector.features((reconstruction + 1.0) / 2.0)
            )
        }
        if self.adversarial:
            generated = self.detector.decode(self._prior(len(x), x))
            terms["adversarial_image"] = self.generator_loss(self.image_critic(generated))
            terms["adversarial_latent"] = self.generator_loss(self.latent_critic(z))
        return terms

    def _prior(self, size: int, like: Tensor) -> Tensor:
        return torch.randn(size, self.latent_channels, 1, 1, device=like.device, dtype=like.dtype)

    # ---- weights -------------------------------------------------------------------------------------------------

    def _rescaled(self, z: Tensor) -> Tensor:
        """Rescale the reconstruction's gradient at the latent vector from the decoder's weight to the encoder's."""
        z = z.view_as(z)
        if z.requires_grad:
            z.register_hook(lambda gradient: gradient * self._encoder_ratio)
        return z

    def _policy_due(self) -> bool:
        """Whether this step, counted from 1, is one at which the policy looks at the gradients."""
        return self.adversarial and self.policy_interval is not None and (self.steps + 1) % self.policy_interval == 0

    def generator_backward(self, terms: Terms) -> None:
        """Weight the terms and back-propagate them; let the policy look at their gradients when it is due."""
        due = self._policy_due()
        self.steps += 1
        others = [term for name, term in terms.items() if name != "reconstruction"]
        if not others:
            self._encoder_ratio = 1.0
            terms["reconstruction"].backward()
        elif due or self.decoder_policy.weight == 0.0:  # a ratio to 0 does not exist
            self._backward_apart(terms["reconstruction"], torch.stack(others).sum(), observe=due)
        else:
            self._encoder_ratio = self.encoder_policy.weight / self.decoder_policy.weight
            (self.decoder_policy.weight * terms["reconstruction"] + torch.stack(others).sum()).backward()

    def _backward_apart(self, reconstruction: Tensor, adversarial: Tensor, observe: bool) -> None:
        """Differentiate the terms apart, renew the weights if asked to, and add up the weighted gradients."""
        self._encoder_ratio = 1.0
        networks = (
            (self.detector.encoder, self.encoder_policy),
            (self.detector.decoder, self.decoder_policy),
        )
        parameters = [p for network, _ in networks for p in network.parameters()]
        rec = dict(zip(parameters, _gradients(reconstruction, parameters, keep=True), strict=True))
        adv = dict(zip(parameters, _gradients(adversarial, parameters), strict=True))
        for network, policy in networks:
            if observe:
                weights = [p for name, p in network.named_parameters() if name.endswith("weight")]
                policy.observe([adv[p] for p in weights], [rec[p] for p in weights])
            for p in network.parameters():
                gradient = adv[p] + policy.weight * rec[p]
                p.grad = gradient if p.grad is None else p.grad + gradient

    def metrics(self) -> dict[str, float]:
        """Return the policy's present weights."""
        return {"weight_encoder": self.encoder_policy.weight, "weight_decoder": self.decoder_policy.weight}

    def get_extra_state(self) -> dict[str, Any]:
        """Return the policies and the step count: tensors and numbers."""
        return {
            "encoder_policy": self.encoder_policy.state_dict(),
            "decoder_policy": self.decoder_policy.state_dict(),
            "steps": self.steps,
        }

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Go back to saved policies."""
        self.encoder_policy.load_state_dict(state["encoder_policy"])
        self.decoder_policy.load_state_dict(state["decoder_policy"])
        self.steps = int(state["steps"])

    # ---- features of real images ---------------------------------------------------------------------------------

    @torch.no_grad()
    def cache_features(self, images: ImageSequence, batch_size: int = 32) -> bool:
        """Compute the features of all training images once; without augmentation they never change.

        Call it after the features' weights and statistics are final. Batches then need `row`, that of an image in them.

        Args:
            images: all training images ``(N, C, H, W)``.
            batch_size: images per forward pass; fixed, so that a resumed run computes the same bits.

        Returns:
            whether they are cached: not with augmentation, nor when they would take more than `cache_bytes`.
        """
        self._cache = None
        if self.augment is not None:
            return False
        device = next(self.detector.parameters()).device
        first = self.detector.features(images[:1].to(device))
        if sum(f.numel() * f.element_size() for f in first) * len(images) > self.cache_bytes:
            return False
        cache = [f.new_empty((len(images), *f.shape[1:])) for f in first]
        for start in range(0, len(images), batch_size):
            part = slice(start, start + batch_size)
            for store, f in zip(cache, self.detector.features(images[part].to(device)), strict=True):
                store[part] = f
        self._cache = cache
        return True

    def _real_features(self, image: Tensor, batch: Batch) -> list[Tensor]:
        if self._cache is not None and "row" in batch:
            return [store[batch["row"]] for store in self._cache]
        with torch.no_grad():
            return list(self.detector.features(image))


def _total(terms: Terms) -> Tensor:
    return torch.stack(list(terms.values())).sum()


def _gradients(term: Tensor, parameters: list[nn.Parameter], keep: bool = False) -> list[Tensor]:
    gradients = torch.autograd.grad(term, parameters, retain_graph=keep, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gradients, strict=True)]
