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
        maps: how many maps of the batch, one after the other, are the patches of one image and have mean and deviation
            in common, so that a patch that is darker than the others stays so; at 1, each has its own.

    Raises:
        ValueError: when `maps` is not positive; in ``forward`` on a map of a single position, of which nothing would be
            left, and on a batch that is no multiple of `maps`.

    Source: Ulyanov et al., "Instance normalization", https://arxiv.org/abs/1607.08022.

    Example:
        >>> InstanceNorm(4)(torch.rand(2, 4, 8, 8)).mean(dim=(2, 3)).abs().max() < 1e-5
        tensor(True)
    """

    def __init__(self, channels: int, *, affine: bool = True, eps: float = 1e-5, maps: int = 1) -> None:
        super().__init__()
        if maps < 1:
            raise ValueError(f"maps must be positive, got {maps}.")
        self.maps = maps
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
        if not torch.jit.is_tracing() and x.shape[0] % self.maps != 0:  # type: ignore[attr-defined]
            raise ValueError(f"the batch must hold {self.maps} maps for each image, got {x.shape[0]} in all.")
        wide = x if x.dtype == torch.float64 else x.float()
        last = x.is_contiguous(memory_format=torch.channels_last)
        if self.maps == 1:
            # torch's kernel for channels_last takes up to 18 times as long for groups of one channel, more than copies
            y = torch.group_norm(wide.contiguous(), self.channels, self.weight, self.bias, self.eps)
        else:
            h, w, c = x.shape[2], x.shape[3], self.channels
            pixels = wide.permute(0, 2, 3, 1).reshape(-1, self.maps * h * w, c)  # no copy where it is channels_last
            y = torch.group_norm(pixels.transpose(1, 2).contiguous(), c, self.weight, self.bias, self.eps)
            y = y.transpose(1, 2).reshape(-1, h, w, c).permute(0, 3, 1, 2)
        return y.to(x.dtype).contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
