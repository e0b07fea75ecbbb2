# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SmallMapConv2d"]


class SmallMapConv2d(nn.Conv2d):
    """A convolution as one product of matrices, for wide layers with a few output positions.

    It computes what ``torch.nn.Conv2d`` with zero padding computes, from the same weights. Where the weights are many
    more than the positions, the backward passes of the kernels for larger maps take up to ten times as long on a CPU.

    Example:
        >>> import torch
        >>> SmallMapConv2d(3, 8, 4, stride=2, padding=1)(torch.rand(2, 3, 4, 4)).shape
        torch.Size([2, 8, 2, 2])
    """

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same as the convolution, contiguous or not."""
        # (B, C k k, positions)
        columns = F.unfold(x, self.kernel_size, padding=self.padding, stride=self.stride)  # type: ignore[arg-type]
        y = F.linear(columns.transpose(1, 2), self.weight.flatten(1), self.bias)
        height = (x.shape[2] + 2 * self.padding[0] - self.kernel_size[0]) // self.stride[0] + 1  # type: ignore[operator]
        return y.transpose(1, 2).unflatten(2, (height, -1))
