# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from monai_anomaly.networks.blocks.segmentation_head import SegmentationHead

__all__ = ["MapDiscriminator"]


class MapDiscriminator(nn.Module):
    """Tells at every pixel whether an image belongs there: a small U-Net with one logit per pixel.

    It sees an image beside what the memories make of it, and is trained on synthetic anomalies, whose place is known.
    The decoder is the head that the features' pretext task has; MONAI's U-Nets bring a decoder of their own.

    Every pixel also gets its row and column: what belongs to one place of an aligned image does not belong to another.

    Args:
        in_channels: channels of the image and of the picture, together.
        channels: widths from full size downwards, each at half the size of the one before.
        places: add the rows and columns, in [-1, 1].

    Raises:
        ValueError: with fewer than two widths; in ``forward`` on sides that cannot be halved that often.

    Source: Zavrtanik et al., "DRAEM", ICCV 2021, https://arxiv.org/abs/2108.07610 (an image beside its
    reconstruction); Schlüter et al., "Natural Synthetic Anomalies", https://arxiv.org/abs/2109.15222 (what it learns);
    Liu et al., "CoordConv", NeurIPS 2018, https://arxiv.org/abs/1807.03247 (the places).

    Example:
        >>> MapDiscriminator(2, channels=(4, 8))(torch.rand(3, 2, 16, 16)).shape
        torch.Size([3, 1, 16, 16])
    """

    def __init__(self, in_channels: int, *, channels: Sequence[int] = (16, 32, 64, 64), places: bool = True) -> None:
        super().__init__()
        if len(channels) < 2:
            raise ValueError(f"channels needs at least 2 widths, got {tuple(channels)}.")
        self.places = places
        first = nn.Sequential(_conv(in_channels + 2 * places, channels[0]), _conv(channels[0], channels[0]))
        others = (nn.Sequential(_conv(a, b, stride=2), _conv(b, b)) for a, b in pairwise(channels))
        self.stages = nn.ModuleList([first, *others])
        self.head = SegmentationHead(channels)
        self.reduction = 2 ** (len(channels) - 1)

    def forward(self, image: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to logits ``(B, 1, H, W)``; high is anomalous."""
        if not torch.jit.is_tracing() and (  # type: ignore[attr-defined]
            image.shape[2] % self.reduction != 0 or image.shape[3] % self.reduction != 0
        ):
            raise ValueError(
                f"the image's sides must be multiples of {self.reduction}, got {list(image.shape)}; shorten channels."
            )
        maps: list[Tensor] = []
        x = torch.cat([image, _places(image)], dim=1) if self.places else image
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return self.head(maps)


def _places(image: Tensor) -> Tensor:
    """Row and column of every pixel, ``(B, 2, H, W)`` in [-1, 1]."""
    b, height, width = image.shape[0], image.shape[2], image.shape[3]
    rows = torch.linspace(-1.0, 1.0, height, device=image.device, dtype=image.dtype)
    columns = torch.linspace(-1.0, 1.0, width, device=image.device, dtype=image.dtype)
    place = torch.stack([rows[:, None].expand(height, width), columns[None, :].expand(height, width)])
    return place.expand(b, 2, height, width)


def _conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )
