# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from monai_anomaly.networks.blocks.normalization import make_norm
from monai_anomaly.networks.nets.ocad.layers import LEAKY_SLOPE, SMALL, check_widths, initialize, linear, size_after

__all__ = ["ImageCritic", "LatentCritic"]


class ImageCritic(nn.Module):
    """Tells how much of a decoded mixture's first source is in it: 4x4 convolutions of stride 2 with leaky ReLU, and
    the mean over positions of a last convolution.

    No weight is tied to a position, so that the critic is one for all image sizes. The first convolution is not
    normalized: the contrast of the image is left for it to see.

    Args:
        image_size: height and width of the images, in pixels.
        in_channels: channels of the images.
        channels: width of each convolution.
        norm: normalization of all convolutions but the first, "none" or "group".

    Raises:
        ValueError: on an argument outside its range, and for an image size that cannot be halved once per convolution
            down to at least 2.

    Source: Berthelot et al., "Understanding and improving interpolation in autoencoders via an adversarial
    regularizer", ICLR 2019, https://arxiv.org/abs/1807.07543 (the mean of a map, without an activation).

    Example:
        >>> import torch
        >>> ImageCritic(16, 3, (8, 16))(torch.rand(2, 3, 16, 16)).shape
        torch.Size([2, 1])
    """

    def __init__(
        self, image_size: int, in_channels: int, channels: Sequence[int] = (64, 128, 256, 256), *, norm: str = "group"
    ) -> None:
        super().__init__()
        check_widths(in_channels=in_channels, channels=channels)
        size_after(image_size, len(channels))
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(pairwise((in_channels, *channels))):
            conv = nn.Conv2d(before, after, 4, stride=2, padding=1)
            initialize(conv, "leaky_relu")
            layers += [conv, make_norm(norm if i > 0 else "none", after), nn.LeakyReLU(LEAKY_SLOPE, inplace=True)]
        self.layers = nn.Sequential(*layers, linear(nn.Conv2d(channels[-1], 1, 3, padding=1), SMALL))

    def forward(self, image: Tensor) -> Tensor:
        """``(B, in_channels, S, S)`` to ``(B, 1)``, float32, unbounded."""
        return self.layers(image).float().mean(dim=(2, 3))


class LatentCritic(nn.Module):
    """Tells how much of its first source is in a mixture of latents: two linear layers with a ReLU between.

    Args:
        latent_size: numbers in a latent, of all channels and positions.
        hidden: width of the hidden layer.

    Raises:
        ValueError: on an argument below 1.

    Source: W. Aljuhani, "One-Class Anomaly Detection" (OCAD), without its sigmoid.

    Example:
        >>> import torch
        >>> LatentCritic(36, 8)(torch.rand(2, 4, 3, 3)).shape
        torch.Size([2, 1])
    """

    def __init__(self, latent_size: int, hidden: int = 64) -> None:
        super().__init__()
        check_widths(latent_size=latent_size, hidden=hidden)
        first = nn.Linear(latent_size, hidden)
        initialize(first, "relu")
        self.layers = nn.Sequential(nn.Flatten(), first, nn.ReLU(inplace=True), linear(nn.Linear(hidden, 1), SMALL))

    def forward(self, latent: Tensor) -> Tensor:
        """``(B, D)`` or ``(B, D, h, w)`` to ``(B, 1)``, float32, unbounded."""
        return self.layers(latent).float()
