# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch
from torch import nn

__all__ = ["MinibatchStdDev"]


class MinibatchStdDev(nn.Module):
    """Appends one constant channel: the standard deviation over the batch, averaged over channels and positions.

    It lets a critic see that a generator makes too uniform batches, and so mixes the samples of a batch: real and fake
    samples must not share one forward pass. For critics only, never for a detector.

    Args:
        eps: added to the variance before the root.

    Source: Karras et al., "Progressive Growing of GANs", https://arxiv.org/abs/1710.10196.
    """

    def __init__(self, eps: float = 1e-8) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C, H, W) -> (B, C + 1, H, W)``."""
        deviation = (x.var(dim=0, unbiased=False) + self.eps).sqrt().mean()
        channel = deviation.to(x.dtype).reshape(1, 1, 1, 1).expand(x.shape[0], 1, x.shape[2], x.shape[3])
        return torch.cat([x, channel], dim=1)
