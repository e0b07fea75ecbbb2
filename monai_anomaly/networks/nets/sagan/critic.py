# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from monai_anomaly.networks.blocks.small_map_conv import SmallMapConv2d

__all__ = ["SAGANCritic"]

_LEAKY_SLOPE = 0.01
_SMALL_MAP = 2  # positions a side


class SAGANCritic(nn.Module):
    """Tells normal images from restored ones: 4x4 convolutions of stride 2 without normalization, then one number.

    It sees whole images, never single patches. The width doubles with each convolution. MONAI's
    ``PatchDiscriminator`` has a normalization in every layer, which a penalty on the gradient of each image forbids.

    Args:
        image_size: height and width of the image, in pixels.
        in_channels: channels of the image.
        channels: width of the first convolution.
        depth: number of convolutions, each of which halves the sides.

    Raises:
        ValueError: on an argument outside its range, such as a depth above log2(image_size); in ``forward`` on an image
            of another shape.

    Source: SAGAN (Zhang et al., MICCAI 2024, https://arxiv.org/abs/2405.12872).

    Example:
        >>> SAGANCritic(32, channels=4, depth=3)(torch.rand(2, 1, 32, 32)).shape
        torch.Size([2, 1])
    """

    memory_format = torch.contiguous_format
    """Its wide kernels on few positions, with a gradient penalty, take 1.2 to 1.5 times as long in channels_last."""

    def __init__(self, image_size: int, in_channels: int = 1, *, channels: int = 64, depth: int = 6) -> None:
        super().__init__()
        if min(image_size, in_channels, channels) < 1:
            raise ValueError(
                f"image_size, in_channels and channels must be positive, got {image_size}, {in_channels}, {channels}."
            )
        most = image_size.bit_length() - 1
        if not 1 <= depth <= most:
            raise ValueError(
                f"depth must lie in [1, {most}], since image_size {image_size} can be halved {most} times, got {depth}."
            )
        widths = [in_channels, *(channels << i for i in range(depth))]
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(widths), 1):
            kind = SmallMapConv2d if image_size >> number <= _SMALL_MAP else nn.Conv2d
            layers += [kind(before, after, 4, stride=2, padding=1), nn.LeakyReLU(_LEAKY_SLOPE, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 3, padding=1, bias=False))
        self.image_shape = [in_channels, image_size, image_size]

    def forward(self, image: Tensor) -> Tensor:
        """``(B, C, S, S)`` to one number per image, ``(B, 1)``, float32, high for a normal image; any range."""
        if not torch.jit.is_tracing() and list(image.shape[1:]) != self.image_shape:  # type: ignore[attr-defined]
            raise ValueError(
                f"image must have shape (B, C, H, W) with (C, H, W) = {self.image_shape}, got {list(image.shape)}; "
                "set in_channels and image_size."
            )
        return self.layers(image.contiguous()).float().mean(dim=[2, 3])
