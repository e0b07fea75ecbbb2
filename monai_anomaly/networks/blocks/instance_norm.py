# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["InstanceNorm"]


class InstanceNorm(nn.Module):
    """Mean 0 and deviation 1 of each channel of each image by its own, then a factor and an offset per channel.

    There are no running statistics, so that training and evaluation give the same and an image the same in any batch.
    It is computed as a group normalization with one channel to a group, which is the same arithmetic:
    ``torch.nn.InstanceNorm2d`` takes up to four times as long on a CPU and leaves channels_last, and its check of the
    size cannot be traced.

    Args:
        channels: C.
        affine: learn the factors (1 at the start) and offsets (0).
        eps: added to the variance.

    Raises:
        ValueError: in ``forward`` on a map of a single position, of which nothing would be left.

    Source: Ulyanov et al., "Instance normalization", https://arxiv.org/abs/1607.08022.

    Example:
        >>> InstanceNorm(4)(torch.rand(2, 4, 8, 8)).mean(dim=(2, 3)).abs().max() < 1e-5
        tensor(True)
    """

    def __init__(self, channels: int, *, affine: bool = True, eps: float = 1e-5) -> None:
        super().__init__()
        self.channels = channels
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape, type and memory format; statistics in float32 at least."""
        if not torch.jit.is_tracing() and x.shape[2] * x.shape[3] < 2:  # type: ignore[attr-defined]
            raise ValueError(
                f"an instance normalization needs maps of more than one position, got {list(x.shape)}; "
                "use larger images or patches."
            )
        wide = x if x.dtype == torch.float64 else x.float()
        # torch's kernel for channels_last takes up to 18 times as long for groups of one channel, more than two copies
        y = torch.group_norm(wide.contiguous(), self.channels, self.weight, self.bias, self.eps).to(x.dtype)
        last = x.is_contiguous(memory_format=torch.channels_last)
        return y.contiguous(memory_format=torch.channels_last) if last else y
