# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Features learned from the site's own normals."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_anomaly.engines.objectives.base import Batch, Objective, Terms, Update
from monai_anomaly.networks.nets.vgg_features import VGGFeatures

__all__ = ["PretextObjective"]


class PretextObjective(Objective):
    """Teaches a feature network to find synthetic defects in normal images.

    Every image gets a defect; 1x1 convolutions on the asked layers say where it is, at each layer's resolution. Their
    upsampled sum is compared with the defect's soft mask. Only the features are kept: the head exists for the task.
    Random features do not pay and ImageNet's are not at hand offline; what a network learns from this task are features
    of local structure of just the images it will compare.

    Args:
        features: the feature network to train; it is frozen again afterwards.
        corrupt: ``(B, C, H, W)`` to a corrupted batch and its soft mask ``(B, 1, H, W)`` in [0, 1].
        augment: changes the images first, the same way every time it is called with the same random state.

    Source: Schlüter et al., "Natural Synthetic Anomalies", arXiv:2109.15222 (the task); Li et al., "CutPaste",
    arXiv:2104.04015 (its features).
    """

    def __init__(
        self,
        features: VGGFeatures,
        corrupt: Callable[[Tensor], tuple[Tensor, Tensor]],
        augment: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.features = features
        self.backbone = features.features
        self.corrupt = corrupt
        self.augment = augment
        self.heads = nn.ModuleList(nn.LazyConv2d(1, 1) for _ in features.layers)
        with torch.no_grad():  # gives the heads their shapes
            self._logits(torch.zeros(1, 1, 32, 32, device=features.input_mean.device))

    def updates(self) -> list[Update]:
        """One update of the backbone and the heads."""
        return [Update("pretext", (self.backbone, self.heads), self.terms)]

    def train(self, mode: bool = True) -> PretextObjective:
        """Unlike the frozen network around it, the backbone follows the mode: its batch statistics are learned here."""
        super().train(mode)
        self.backbone.train(mode)
        return self

    def terms(self, batch: Batch) -> Terms:
        """Cross entropy with the defects' soft masks, for a batch `image` ``(B, C, H, W)``."""
        with torch.no_grad():
            image = batch["image"] if self.augment is None else self.augment(batch["image"])
            corrupted, mask = self.corrupt(image)
        logits = self._logits(corrupted)
        return {"pretext": F.binary_cross_entropy_with_logits(logits, mask)}

    def _logits(self, image: Tensor) -> Tensor:
        size = image.shape[2:]
        parts = [head(f) for head, f in zip(self.heads, self.features.raw(image), strict=True)]
        return torch.stack([F.interpolate(p, size=size, mode="bilinear") for p in parts]).sum(dim=0)

    def freeze(self) -> None:
        """End the training: no more gradients, evaluation mode."""
        self.features.requires_grad_(False)
        self.eval()
