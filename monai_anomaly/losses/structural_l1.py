# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from torch import Tensor
from torch.nn.modules.loss import _Loss

from monai_anomaly.networks.blocks.structural_similarity import MultiScaleSSIM

__all__ = ["StructuralL1Loss"]


class StructuralL1Loss(_Loss):
    """Reconstruction loss, ``w (1 - MS-SSIM) + (1 - w) mean |x - y| / data_range``, averaged over the batch.

    Structure says where edges and texture belong; the absolute difference has a gradient also where two images are so
    unlike that their structure has none. Computed in float32.

    Args:
        image_size: height and width of the images, in pixels.
        data_range: difference between the largest and the smallest value that images can have.
        structure_weight: w, in [0, 1].
        window: side of the Gaussian window, in pixels; odd.
        sigma: standard deviation of the window, in pixels.
        levels: number of scales; None takes as many as the image allows, see :class:`.MultiScaleSSIM`.

    Raises:
        ValueError: on an argument out of range; when called, on images of another shape.

    Source: Chen et al., "Deep one-class classification via interpolated Gaussian descriptor", AAAI 2022,
    https://arxiv.org/abs/2101.10043.
    """

    def __init__(
        self,
        image_size: int,
        *,
        data_range: float = 1.0,
        structure_weight: float = 0.85,
        window: int = 11,
        sigma: float = 1.5,
        levels: int | None = None,
    ) -> None:
        super().__init__()
        if not 0.0 <= structure_weight <= 1.0:
            raise ValueError(f"structure_weight must lie in [0, 1], got {structure_weight}.")
        self.similarity = MultiScaleSSIM(image_size, data_range=data_range, window=window, sigma=sigma, levels=levels)
        self.data_range = data_range
        self.structure_weight = structure_weight

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Images ``(B, C, S, S)`` and those that they should be, to a scalar, float32, at least 0."""
        structure = 1.0 - self.similarity(input, target).mean()
        difference = (input.float() - target.float()).abs().mean() / self.data_range
        return self.structure_weight * structure + (1.0 - self.structure_weight) * difference
