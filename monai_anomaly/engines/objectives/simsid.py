# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""SimSID's and SQUID's training: student, teacher and discriminator together."""

from __future__ import annotations

from collections.abc import Callable

import ignite.distributed as idist
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_anomaly.engines.objectives.base import Batch, Objective, Terms, Update
from monai_anomaly.losses.adversarial_bce import BCEDiscriminatorLoss, BCEGeneratorLoss
from monai_anomaly.losses.distillation import DistillationLoss
from monai_anomaly.networks.nets.simsid.simsid import SimSID

__all__ = ["SimSIDObjective", "remember", "require_image_discriminator"]


def remember(detector: SimSID, tokens: Tensor) -> None:
    """Store the tokens ``(B, P, D)`` of normal images, unless the memory is learned.

    Every process stores those of all processes, so that their memories stay the same.
    """
    if not detector.generator.learned:
        detector.generator.remember(idist.all_gather(tokens.detach().float()))  # type: ignore[arg-type]


def require_image_discriminator(detector: SimSID) -> None:
    """Raise a ValueError for a detector whose discriminator judges pixels beside the picture, not an image."""
    if detector.score == "map_logit":
        raise ValueError(
            "the detector's score must be any but 'map_logit', whose discriminator learns from synthetic anomalies; "
            "set score, or train with SimSIDSyntheticObjective."
        )


class SimSIDObjective(Objective):
    """Two discriminator steps, then one of the generator and the teacher, as published.

    The student decodes painted features and learns to restore the image, to resemble the teacher at every level, and to
    pass the discriminator. The teacher decodes the features as they are, detached: its loss never reaches the encoder.
    A memory that is not learned stores the tokens of a generator step after it has answered them. No teacher runs, and
    no graph is built, in the discriminator's steps.

    Every step sees fresh images; the published loop makes the generator's step on those of the discriminator's.

    Args:
        detector: with a score that takes an :class:`.ImageDiscriminator`.
        teacher: from the generator's ``make_teacher()``.
        n_critic: discriminator steps for one of the generator.
        student_weight: of the student's mean squared error.
        teacher_weight: of the teacher's.
        distillation_weight: of the sum over the decoder's levels (without the images) of their squared differences.
        adversarial_weight: of the student's cross entropy against the discriminator.
        discriminator_weight: of the discriminator's own.
        augment: changes the images before.

    Raises:
        ValueError: for a detector with the score "map_logit".

    Source: SQUID (Xiang et al., CVPR 2023, https://arxiv.org/abs/2111.13495); SimSID (Xiang et al., TPAMI 2024,
    https://arxiv.org/abs/2403.08689).
    """

    detector: SimSID

    def __init__(
        self,
        detector: SimSID,
        teacher: nn.Module,
        *,
        n_critic: int = 2,
        student_weight: float = 10.0,
        teacher_weight: float = 0.01,
        distillation_weight: float = 0.001,
        adversarial_weight: float = 0.005,
        discriminator_weight: float = 0.005,
        augment: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(augment)
        require_image_discriminator(detector)
        self.detector = detector
        self.teacher = teacher
        self.n_critic = n_critic
        self.student_weight = student_weight
        self.teacher_weight = teacher_weight
        self.distillation_weight = distillation_weight
        self.adversarial_weight = adversarial_weight
        self.discriminator_weight = discriminator_weight
        self.distillation_loss = DistillationLoss()
        self.discriminator_loss = BCEDiscriminatorLoss()
        self.generator_loss = BCEGeneratorLoss()

    def updates(self) -> list[Update]:
        """Return the discriminator's, then that of generator and teacher."""
        return [
            Update("discriminator", (self.detector.discriminator,), self.discriminator_terms, repeats=self.n_critic),
            Update("generator", (self.detector.generator, self.teacher), self.generator_terms),
        ]

    def compilable(self) -> list[nn.Module]:
        """Return the generator's parts, since it is called by its methods, teacher and discriminator."""
        return [*self.detector.generator.children(), self.teacher, self.detector.discriminator]

    def discriminator_terms(self, batch: Batch) -> Terms:
        """Return the discriminator's loss for a batch `image` ``(B, C, H, W)``."""
        x = self._signal(batch)
        with torch.no_grad():  # the discriminator alone is trained here
            fake = self.detector.picture(self.detector.generator(x))
        loss = self.discriminator_loss(self.detector.discriminator(x), self.detector.discriminator(fake))
        return {"discriminator": self.discriminator_weight * loss}

    def generator_terms(self, batch: Batch) -> Terms:
        """Return the losses of student and teacher for a batch `image` ``(B, C, H, W)``."""
        x, generator = self._signal(batch), self.detector.generator
        features = generator.encode(x)
        painted, tokens = generator.inpaint(features)
        student = generator.decode(painted)
        teacher = self.teacher([f.detach() for f in features])
        picture = self.detector.picture(student[-1])
        remember(self.detector, tokens)
        return {
            "student": self.student_weight * F.mse_loss(picture, x),
            "teacher": self.teacher_weight * F.mse_loss(self.detector.picture(teacher[-1]), x),
            "distillation": self.distillation_weight * self.distillation_loss(student[:-1], teacher[:-1]),
            "adversarial": self.adversarial_weight * self.generator_loss(self.detector.discriminator(picture)),
        }

    def _signal(self, batch: Batch) -> Tensor:
        image = self.augmented(batch["image"])
        return self.detector.signal(image)
