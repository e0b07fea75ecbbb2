# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.modules.loss import _Loss

from monai_anomaly.networks.blocks.perceptual_distance import layer_shares, relative_distance, relative_distance_map

__all__ = ["RelativePerceptualL1Loss"]


class RelativePerceptualL1Loss(_Loss):
    """Mean absolute difference of normalized features, relative to the size of the image's own features.

    Per sample and layer: ``mean |f(x) - f(y)| / mean |f(x)|``, ``x`` the real image; layers are summed with weights
    that sum to 1. The denominator is detached and at least 1e-6, so that features at the training mean do not divide by
    zero. It takes features, not images, so that those of the real images can be cached. Computed in float32.

    Args:
        layer_weights: one non-negative weight per layer, divided by their sum; None weighs all the same.
        reduction: "mean" over the batch, "none" (one number per sample) or "map" (one per position).
        map_size: height and width of the map, in pixels; None takes those of the first layer.

    Raises:
        ValueError: on an unknown reduction or bad weights; in ``forward`` when the lists do not match.

    Source: Tuluptceva et al., "Perceptual Image Anomaly Detection", https://arxiv.org/abs/1909.05904.
    """

    def __init__(
        self,
        layer_weights: Sequence[float] | None = None,
        reduction: str = "mean",
        *,
        map_size: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if reduction not in ("mean", "none", "map"):
            raise ValueError(f"reduction must be 'mean', 'none' or 'map', got {reduction!r}.")
        if layer_weights is not None:
            layer_shares(layer_weights, len(layer_weights))
        self.reduction = reduction
        self.layer_weights = None if layer_weights is None else list(layer_weights)
        self.map_size = None if map_size is None else list(map_size)

    def forward(self, real: Sequence[torch.Tensor], fake: Sequence[torch.Tensor]) -> torch.Tensor:
        """Compare features.

        Args:
            real: normalized features of the images, one ``(B, C, h, w)`` per layer, from shallow to deep.
            fake: those of the reconstructions, of the same shapes.

        Returns:
            A scalar, ``(B,)`` or ``(B, 1, H, W)``, by ``reduction``; at least 0, without a unit.
        """
        if not real or len(real) != len(fake):
            raise ValueError(f"real and fake must hold the same layers, got {len(real)} and {len(fake)}.")
        for i, (r, f) in enumerate(zip(real, fake, strict=True)):
            if r.shape != f.shape:
                raise ValueError(f"real and fake must match, got {tuple(r.shape)} and {tuple(f.shape)} in layer {i}.")
        shares = layer_shares(self.layer_weights, len(real))
        if self.reduction == "map":
            size = list(real[0].shape[2:]) if self.map_size is None else self.map_size
            return relative_distance_map(list(real), list(fake), shares, size)
        per_layer = [
            share * relative_distance(r, f).mean(dim=(1, 2, 3)) for share, r, f in zip(shares, real, fake, strict=True)
        ]
        score = torch.stack(per_layer).sum(dim=0)
        return score.mean() if self.reduction == "mean" else score
