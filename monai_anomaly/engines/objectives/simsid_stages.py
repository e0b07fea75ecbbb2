# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The report's training in three stages: teacher with encoder, student, discriminator; one objective each."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_anomaly.engines.objectives.base import Batch, Objective, Terms, Update
from monai_anomaly.engines.objectives.simsid import remember, require_image_discriminator
from monai_anomaly.losses.adversarial_bce import BCEDiscriminatorLoss
from monai_anomaly.losses.distillation import DistillationLoss
from monai_anomaly.networks.nets.simsid.simsid import SimSID
from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["DiscriminatorStage", "StudentStage", "TeacherStage"]

_CACHE_BATCH = 64


class TeacherStage(Objective):
    """Encoder and teacher as a plain autoencoder: Algorithm 4.9.

    The report freezes a "pre-trained" encoder and does not say how it was trained; here the teacher's loss trains it,
    and the next stage freezes it.

    Args:
        detector: whose encoder is trained.
        teacher: from the generator's ``make_teacher()``.
        augment: changes the images before.

    Source: S. R., "Unsupervised Anomaly Detection using SimSID algorithm", Anna University, 2025, Algorithm 4.9.
    """

    detector: SimSID

    def __init__(
        self, detector: SimSID, teacher: nn.Module, *, augment: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__(augment)
        self.detector = detector
        self.teacher = teacher

    def updates(self) -> list[Update]:
        """One update of encoder and teacher."""
        return [Update("teacher", (self.detector.generator.encoder, self.teacher), self.terms)]

    def terms(self, batch: Batch) -> Terms:
        """Return the teacher's mean squared error for a batch `image` ``(B, C, H, W)``."""
        x = self.detector.signal(self.augmented(batch["image"]))
        picture = self.detector.picture(self.teacher(self.detector.generator.encode(x))[-1])
        return {"teacher": F.mse_loss(picture, x)}

    def reconstruct(self, image: Tensor) -> Tensor:
        """Image ``(B, C, H, W)`` to the teacher's picture, in the images' range; for metrics of this stage."""
        x = self.detector.signal(image)
        return self.detector.unsignal(self.detector.picture(self.teacher(self.detector.generator.encode(x))[-1]))


class StudentStage(Objective):
    """Memory, in-painting and student decoder, guided by the frozen teacher: Algorithm 4.10.

    The encoder is frozen, so that all its features can be computed once, see :meth:`cache_features`.

    Args:
        detector: whose memory, in-painting and student decoder are trained.
        teacher: trained by the stage before.
        student_weight: of the student's mean squared error.
        distillation_weight: of the sum over all levels, the pictures included, of their mean squared differences.
        inpainting_weight: of the mean squared difference of painted and true features, which gives the in-painting a
            direct aim; the report has no such term, and does not train the in-painting at all.
        cache_bytes: most memory that cached features may take.

    Source: S. R., "Unsupervised Anomaly Detection using SimSID algorithm", Anna University, 2025, Algorithm 4.10.
    """

    detector: SimSID

    def __init__(
        self,
        detector: SimSID,
        teacher: nn.Module,
        *,
        student_weight: float = 1.0,
        distillation_weight: float = 1.0,
        inpainting_weight: float = 1.0,
        cache_bytes: int = 2**30,
    ) -> None:
        super().__init__()
        self.detector = detector
        self.teacher = teacher
        self.student_weight = student_weight
        self.distillation_weight = distillation_weight
        self.inpainting_weight = inpainting_weight
        self.cache_bytes = cache_bytes
        self.distillation_loss = DistillationLoss()
        self._cache: list[Tensor] | None = None

    def updates(self) -> list[Update]:
        """One update of all parts of the generator but the encoder."""
        parts = [part for name, part in self.detector.generator.named_children() if name != "encoder"]
        return [Update("student", tuple(parts), self.terms)]

    def terms(self, batch: Batch) -> Terms:
        """Return the student's losses for a batch `image` ``(B, C, H, W)``, with `row` when its features are cached."""
        generator = self.detector.generator
        x = self.detector.signal(batch["image"])
        with torch.no_grad():
            features = self._features(x, batch)
            teacher = self.teacher.eval()(features)
        painted, tokens = generator.inpaint(features)
        student = generator.decode(painted)
        picture = self.detector.picture(student[-1])
        levels = [*student[:-1], picture], [*teacher[:-1], self.detector.picture(teacher[-1])]
        remember(self.detector, tokens)
        return {
            "student": self.student_weight * F.mse_loss(picture, x),
            "distillation": self.distillation_weight * self.distillation_loss(*levels),
            "inpainting": self.inpainting_weight * F.mse_loss(painted[-1].float(), features[-1].float()),
        }

    @torch.no_grad()
    def cache_features(self, images: ImageSequence) -> bool:
        """Compute the frozen encoder's features of all training images once; call it when the stage before has ended.

        Batches then need `row`, that of an image in them.

        Args:
            images: all training images ``(N, C, H, W)``, preprocessed.

        Returns:
            whether they are cached: not if they would take more than `cache_bytes`.
        """
        self._cache = None
        device = next(self.detector.parameters()).device
        first = self._encode(self.detector.signal(images[:1].to(device)))
        rows = first[-1].shape[0]  # of an image: 1, or its patches
        if sum(f.numel() * f.element_size() for f in first) * len(images) > self.cache_bytes:
            return False
        # filled as it is computed: parts that are joined at the end would take the memory twice
        cache = [f.new_empty((len(images) * rows, *f.shape[1:])) for f in first]
        for number, part in enumerate(images.split(_CACHE_BATCH)):
            start = number * _CACHE_BATCH * rows
            for store, f in zip(cache, self._encode(self.detector.signal(part.to(device))), strict=True):
                store[start : start + len(f)] = f
        self._cache = [store.unflatten(0, (-1, rows)) for store in cache]
        return True

    def _features(self, x: Tensor, batch: Batch) -> list[Tensor]:
        if self._cache is not None and "row" in batch:
            return [store[batch["row"]].flatten(0, 1) for store in self._cache]
        return self._encode(x)

    def _encode(self, x: Tensor) -> list[Tensor]:
        self.detector.generator.encoder.eval()  # a validation puts the whole detector back into training mode
        return self.detector.generator.encode(x)


class DiscriminatorStage(Objective):
    """The discriminator learns to tell images from the frozen student's pictures: Algorithm 4.11.

    The report's pictures in this stage are of the features as they are, against its own Algorithm 4.10; here the
    student sees painted features, which is what it does when images are scored.

    Args:
        detector: whose discriminator is trained.
        cache_bytes: most memory that cached pictures may take.

    Raises:
        ValueError: for a detector with the score "map_logit".

    Source: S. R., "Unsupervised Anomaly Detection using SimSID algorithm", Anna University, 2025, Algorithm 4.11.
    """

    detector: SimSID

    def __init__(self, detector: SimSID, *, cache_bytes: int = 2**30) -> None:
        super().__init__()
        require_image_discriminator(detector)
        self.detector = detector
        self.cache_bytes = cache_bytes
        self.loss = BCEDiscriminatorLoss()
        self._cache: Tensor | None = None

    def updates(self) -> list[Update]:
        """One update of the discriminator."""
        return [Update("discriminator", (self.detector.discriminator,), self.terms)]

    def terms(self, batch: Batch) -> Terms:
        """Return the discriminator's loss for `image` ``(B, C, H, W)``, with `row` when the pictures are cached."""
        x = self.detector.signal(batch["image"])
        if self._cache is not None and "row" in batch:
            fake = self._cache[batch["row"]]
        else:
            fake = self._picture(x)
        return {"discriminator": self.loss(self.detector.discriminator(x), self.detector.discriminator(fake))}

    def cache_pictures(self, images: ImageSequence) -> bool:
        """Compute the frozen student's pictures of all training images ``(N, C, H, W)`` once, on the device.

        Batches then need `row`, that of an image in them.

        Returns:
            whether they are cached: not if they would take more than `cache_bytes`.
        """
        self._cache = None
        if 4 * math.prod(images.shape) > self.cache_bytes:
            return False
        device = next(self.detector.parameters()).device
        self._cache = torch.empty(tuple(images.shape), device=device)
        for number, part in enumerate(images.split(_CACHE_BATCH)):
            pictures = self._picture(self.detector.signal(part.to(device)))
            self._cache[number * _CACHE_BATCH : number * _CACHE_BATCH + len(pictures)] = pictures
        return True

    @torch.no_grad()
    def _picture(self, x: Tensor) -> Tensor:
        self.detector.generator.eval()  # as when images are scored; a validation puts it back into training mode
        return self.detector.picture(self.detector.generator(x))
