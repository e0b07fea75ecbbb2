# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from monai_anomaly.networks.blocks.normalization import make_norm
from monai_anomaly.networks.nets.ocad.layers import check_widths

__all__ = ["ResidualCritic", "ResidualDecoder"]

_START_SIZE = 4


class _ResidualUp(nn.Module):
    """Normalization and ReLU before each of two 3x3 convolutions, the first of them at twice the resolution.

    ``PreActivationUp`` has neither normalization nor ReLU, and no convolution on its skip where the width stays.
    """

    def __init__(self, before: int, after: int, norm: str) -> None:
        super().__init__()
        self.norm1 = make_norm(norm, before)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.norm2 = make_norm(norm, after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.skip = nn.Conv2d(before, after, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C_in, H, W) -> (B, C_out, 2 H, 2 W)``."""
        h = self.conv1(F.interpolate(F.relu(self.norm1(x)), scale_factor=2.0, mode="nearest"))
        h = self.conv2(F.relu(self.norm2(h)))
        # a 1x1 convolution commutes with nearest upsampling, so the skip is computed at the low resolution
        return h + F.interpolate(self.skip(x), scale_factor=2.0, mode="nearest")


class _ResidualDown(nn.Module):
    """Normalization and ReLU before each of two 3x3 convolutions, then average pooling.

    The published normalization has a factor and an offset for every value of the map, which ties the critic to one
    image size; here there is one of each per channel.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(1, before)
        self.conv1 = nn.Conv2d(before, before, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(1, before)
        self.conv2 = nn.Conv2d(before, after, 3, padding=1)
        self.skip = nn.Conv2d(before, after, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, C_in, H, W) -> (B, C_out, H / 2, W / 2)``."""
        h = self.conv1(F.relu(self.norm1(x)))
        h = self.conv2(F.relu(self.norm2(h)))
        return F.avg_pool2d(h, 2) + self.skip(F.avg_pool2d(x, 2))


class ResidualDecoder(nn.Module):
    """Latent vector to image: a linear layer to 4x4, a convolution at 8x8, one residual block per doubling, and a 5x5
    convolution at the image's size.

    The published network has batch normalization, which in its training never leaves its initial statistics.

    Args:
        image_size: height and width of the image, in pixels: 4 times 2 to the power of ``len(channels) + 1``.
        out_channels: channels of the image.
        latent_channels: D, length of the latent vector.
        channels: width at 4x4 and 8x8, then that of each residual block.
        norm: normalization before each ReLU, "group" or "none".

    Raises:
        ValueError: on an argument outside its range, and for an image size that the channels do not lead to.

    Source: Chen et al., "Deep one-class classification via interpolated Gaussian descriptor", AAAI 2022,
    https://arxiv.org/abs/2101.10043.

    Example:
        >>> ResidualDecoder(32, 3, latent_channels=5, channels=(8, 4))(torch.rand(2, 5)).shape
        torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self,
        image_size: int,
        out_channels: int,
        *,
        latent_channels: int = 128,
        channels: Sequence[int] = (512, 512, 256, 128, 64),
        norm: str = "group",
    ) -> None:
        super().__init__()
        check_widths(out_channels=out_channels, latent_channels=latent_channels, channels=channels)
        reached = _START_SIZE * 2 ** (len(channels) + 1)
        if image_size != reached:
            raise ValueError(
                f"{len(channels)} channels lead to images of {reached} pixels, but image_size is {image_size}; each "
                "channel more doubles the size."
            )
        first, last = channels[0], channels[-1]
        self.start = nn.Sequential(
            nn.Linear(latent_channels, first * _START_SIZE**2), nn.Unflatten(1, (first, _START_SIZE, _START_SIZE))
        )
        blocks = [_ResidualUp(before, after, norm) for before, after in pairwise(channels)]
        self.layers = nn.Sequential(
            nn.Upsample(scale_factor=2.0),
            nn.Conv2d(first, first, 3, padding=1),
            *blocks,
            make_norm(norm, last),
            nn.ReLU(),
            nn.Upsample(scale_factor=2.0),
            nn.Conv2d(last, out_channels, 5, padding=2),
        )

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """``(B, D)`` to ``(B, out_channels, S, S)``, unbounded."""
        return self.layers(self.start(latent))


class ResidualCritic(nn.Module):
    """Tells how much of a decoded mixture's first source is in it: a 5x5 convolution of stride 2, residual blocks that
    halve the map, a 3x3 convolution of stride 2, a linear layer.

    Args:
        image_size: height and width of the images, in pixels.
        in_channels: channels of the images.
        channels: width of each layer that halves the map; the first and the last are the plain convolutions.

    Raises:
        ValueError: on an argument outside its range, and for an image size that cannot be halved once per channel.

    Source: Chen et al., "Deep one-class classification via interpolated Gaussian descriptor", AAAI 2022,
    https://arxiv.org/abs/2101.10043.

    Example:
        >>> ResidualCritic(16, 3, channels=(4, 8, 8))(torch.rand(2, 3, 16, 16)).shape
        torch.Size([2, 1])
    """

    def __init__(
        self, image_size: int, in_channels: int, *, channels: Sequence[int] = (64, 128, 256, 512, 512, 512)
    ) -> None:
        super().__init__()
        check_widths(in_channels=in_channels, channels=channels)
        if len(channels) < 2:
            raise ValueError(f"channels needs at least 2 widths, the first and the last convolution's, got {channels}.")
        size, left = divmod(image_size, 2 ** len(channels))
        if left or size < 1:
            raise ValueError(
                f"image_size must be a multiple of {2 ** len(channels)} for {len(channels)} channels, each of which "
                f"halves the map, got {image_size}; resize the images or shorten channels."
            )
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, channels[0], 5, stride=2, padding=2),
            *(_ResidualDown(before, after) for before, after in pairwise(channels[:-1])),
            nn.Conv2d(channels[-2], channels[-1], 3, stride=2, padding=1),
            nn.Flatten(),
            nn.Linear(channels[-1] * size**2, 1),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``(B, in_channels, S, S)`` to ``(B, 1)``, float32, unbounded."""
        return self.layers(image).float()
