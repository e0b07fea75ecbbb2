# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Features learned from the site's own normals."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_anomaly.engines.objectives.base import Batch, Objective, Terms, Update, leave_intact
from monai_anomaly.networks.blocks.segmentation_head import SegmentationHead
from monai_anomaly.networks.nets.features.vgg_features import VGGFeatures

__all__ = ["PretextObjective"]


class PretextObjective(Objective):
    """Teaches a feature network to find synthetic anomalies in normal images.

    A light decoder over the network's stages says where the anomaly is, and so does a 1x1 convolution on the deepest
    one, without which that stage can stay idle; only the features are kept. Random features do
    not pay and ImageNet's are not at hand offline; what a network learns from this task are features of the local
    structure of just the images that it will compare.

    Args:
        features: the feature network to train; :meth:`freeze` makes it a frozen one again.
        corrupt: ``(B, C, H, W)`` to a corrupted batch and its soft mask ``(B, 1, H, W)`` in [0, 1].
        augment: changes the images before.

    Source: Schlüter et al., "Natural Synthetic Anomalies", arXiv:2109.15222 (the task); Li et al., "CutPaste",
    arXiv:2104.04015 (its features).
    """

    def __init__(
        self,
        features: VGGFeatures,
        corrupt: Callable[[Tensor], tuple[Tensor, Tensor]],
        augment: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(augment)
        self.features = features
        self.backbone = features.features
        self.corrupt = corrupt
        with torch.no_grad():
            stages = self._stages(torch.zeros(1, 1, 32, 32, device=features.input_mean.device))
        widths = [stage.shape[1] for stage in stages]
        self.head = SegmentationHead(widths)
        self.deepest_head = nn.Conv2d(widths[-1], 1, 1)

    def reduce_to_arithmetic(self) -> None:
        """Train on the images as they are."""
        super().reduce_to_arithmetic()
        self.corrupt = leave_intact

    def updates(self) -> list[Update]:
        """One update of the backbone and the decoder."""
        return [Update("pretext", (self.backbone, self.head, self.deepest_head), self.terms)]

    def train(self, mode: bool = True) -> PretextObjective:
        """Unlike in the frozen network around it, the backbone's batch statistics are learned here."""
        super().train(mode)
        self.backbone.train(mode)
        return self

    def terms(self, batch: Batch) -> Terms:
        """Cross entropy with the anomalies' soft masks, for a batch `image` ``(B, C, H, W)``."""
        with torch.no_grad():
            image = self.augmented(batch["image"])
            corrupted, mask = self.corrupt(image)
        stages = self._stages(corrupted)
        deepest = F.interpolate(self.deepest_head(stages[-1]), size=mask.shape[2:], mode="bilinear")
        return {
            "pretext": F.binary_cross_entropy_with_logits(self.head(stages), mask) / 2,
            "pretext_deepest": F.binary_cross_entropy_with_logits(deepest, mask) / 2,
        }

    def _stages(self, image: Tensor) -> list[Tensor]:
        """Return the last map of every resolution, from shallow to deep."""
        x = (image - self.features.input_mean) / self.features.input_std
        stages = []
        for layer in self.backbone:
            if isinstance(layer, nn.MaxPool2d):
                stages.append(x)
            x = layer(x)
        return [*stages, x]

    def freeze(self) -> None:
        """End the training: no more gradients, evaluation mode."""
        self.features.requires_grad_(False)
        self.eval()
