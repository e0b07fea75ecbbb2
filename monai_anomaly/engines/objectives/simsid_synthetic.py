# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""SimSID trained on synthetic anomalies: our recipe."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from monai_anomaly.engines.objectives.base import Batch, Objective, Terms, Update, leave_intact
from monai_anomaly.networks.nets.simsid.simsid import SimSID

__all__ = ["SimSIDSyntheticObjective"]


class SimSIDSyntheticObjective(Objective):
    """The memories learn to undo synthetic anomalies, the map discriminator to find them beside the result.

    Synthetic anomalies are put into normal images. The generator restores the normal image from its memories; the
    discriminator, which sees the image beside that picture, says of every pixel whether it was changed. The picture
    is detached from it, so that the memories stay those of normal anatomy. Nothing is adversarial: one update, one
    pass, and no balance to keep.

    Args:
        detector: with ``score="map_logit"`` and learned memories: a queue would store the anomalies.
        corrupt: ``(B, C, H, W)`` to a corrupted batch and its soft mask ``(B, 1, H, W)`` in [0, 1].
        student_weight: of the mean squared error of the restored picture.
        map_weight: of the map's cross entropy.
        augment: changes the images before.

    Raises:
        ValueError: for a detector with another score or a memory that is not learned.

    Source: Zavrtanik et al., "DRAEM", ICCV 2021, https://arxiv.org/abs/2108.07610; Schlüter et al., "Natural Synthetic
    Anomalies", https://arxiv.org/abs/2109.15222; the generator is SimSID's, TPAMI 2024,
    https://arxiv.org/abs/2403.08689.
    """

    detector: SimSID

    def __init__(
        self,
        detector: SimSID,
        corrupt: Callable[[Tensor], tuple[Tensor, Tensor]],
        *,
        student_weight: float = 1.0,
        map_weight: float = 1.0,
        augment: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(augment)
        if detector.score != "map_logit":
            raise ValueError(f"the detector's score must be 'map_logit', got {detector.score!r}; set score.")
        if not detector.generator.learned:
            raise ValueError("the generator's memory must be learned: another one would store the synthetic anomalies.")
        self.detector = detector
        self.corrupt = corrupt
        self.student_weight = student_weight
        self.map_weight = map_weight

    def reduce_to_arithmetic(self) -> None:
        """Train on the images as they are."""
        super().reduce_to_arithmetic()
        self.corrupt = leave_intact

    def updates(self) -> list[Update]:
        """One update of generator and discriminator."""
        return [Update("detector", (self.detector.generator, self.detector.discriminator), self.terms)]

    def terms(self, batch: Batch) -> Terms:
        """Return the losses of both for a batch `image` ``(B, C, H, W)``."""
        detector = self.detector
        with torch.no_grad():
            image = self.augmented(batch["image"])
            corrupted, mask = self.corrupt(image)
        x = detector.signal(corrupted)
        picture = detector.picture(detector.generator(x))
        logits = detector.discriminator(torch.cat([x, picture.detach()], dim=1))
        return {
            "student": self.student_weight * F.mse_loss(picture.float(), detector.signal(image).float()),
            "map": self.map_weight * F.binary_cross_entropy_with_logits(logits.float(), mask.float()),
        }
