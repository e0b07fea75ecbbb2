# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["ImageDiscriminator"]

_LEAKY_SLOPE = 0.2


class _ScoringBatchNorm(nn.Module):
    """Batch normalization which in evaluation mode can take the statistics of each image itself."""

    def __init__(self, channels: int, instance_at_eval: bool) -> None:
        super().__init__()
        self.batch = nn.BatchNorm2d(channels)
        self.instance_at_eval = instance_at_eval

    def forward(self, x: Tensor) -> Tensor:
        if self.training or not self.instance_at_eval:
            return self.batch(x)
        # not that of torch.nn.functional, whose check of the size cannot be traced; in float32, since the statistics of
        # few positions are all that the score hangs on
        norm = self.batch
        return torch.instance_norm(x.float(), norm.weight, norm.bias, None, None, True, 0.0, norm.eps, False)


class ImageDiscriminator(nn.Module):
    """Tells images from reconstructions: 5x5 convolutions of stride 2, leaky ReLU, one linear layer to a logit.

    SimSID's anomaly score is this logit, standardized and negated: high is a picture like those of the training.

    Args:
        image_size: height and width of the image, in pixels, or one number for both.
        in_channels: channels of the image.
        channels: width of each convolution; SQUID's are the default, SimSID ends with 256.
        norm_at_eval: statistics of the batch normalization (all convolutions but the first) in evaluation mode:
            "running" are those collected in training. "instance" are each image's own, which is what the published
            scores were made with: there the discriminator is in training mode, with one image in a batch. It gives the
            same in any batch.

    Raises:
        ValueError: on an argument outside its range, and for "instance" where the last map is a single position, whose
            own statistics leave nothing of it; in ``forward`` on an image of another shape, and on a single image in
            training mode.

    Source: SQUID (Xiang et al., CVPR 2023, https://arxiv.org/abs/2111.13495); SimSID (Xiang et al., TPAMI 2024,
    https://arxiv.org/abs/2403.08689).

    Example:
        >>> ImageDiscriminator(32, 1, channels=(4, 8))(torch.rand(3, 1, 32, 32)).shape
        torch.Size([3])
    """

    def __init__(
        self,
        image_size: int | Sequence[int],
        in_channels: int,
        *,
        channels: Sequence[int] = (16, 32, 64, 128, 128),
        norm_at_eval: str = "running",
    ) -> None:
        super().__init__()
        size = [image_size] * 2 if isinstance(image_size, int) else [int(side) for side in image_size]
        widths = [in_channels, *channels]
        if len(size) != 2 or any(side < 1 for side in size):
            raise ValueError(f"image_size must be one or two positive numbers, got {image_size}.")
        if len(widths) < 2 or any(width < 1 for width in widths):
            raise ValueError(f"in_channels and channels must be positive and not empty, got {widths}.")
        if norm_at_eval not in ("running", "instance"):
            raise ValueError(f"norm_at_eval must be 'running' or 'instance', got {norm_at_eval!r}.")
        self.image_shape = [in_channels, *size]
        for _ in channels:
            size = [(side + 1) // 2 for side in size]
        positions = size[0] * size[1]
        instance = norm_at_eval == "instance"
        if instance and positions == 1 and len(channels) > 1:
            raise ValueError(
                f"norm_at_eval='instance' needs more than one position in the last map, but {len(channels)} "
                f"convolutions leave 1 x 1 of image_size {image_size}; shorten channels or take 'running'."
            )
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(pairwise(widths)):
            layers.append(nn.Conv2d(before, after, 5, stride=2, padding=2))
            if i > 0:
                layers.append(_ScoringBatchNorm(after, instance))
            layers.append(nn.LeakyReLU(_LEAKY_SLOPE))
        self.features = nn.Sequential(*layers)
        self.out = nn.Linear(widths[-1] * positions, 1)

    def forward(self, image: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to logits ``(B,)``, float32, unbounded; high is real."""
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            self._check(image)
        return self.out(self.features(image).flatten(1)).squeeze(1).float()

    def _check(self, image: Tensor) -> None:
        if list(image.shape[1:]) != self.image_shape:
            raise ValueError(
                f"image must have shape (B, C, H, W) with (C, H, W) = {self.image_shape}, got {list(image.shape)}; "
                "set in_channels and image_size."
            )
        if self.training and image.shape[0] < 2:
            raise ValueError(
                "the discriminator's batch normalization needs at least 2 images in training mode, got "
                f"{image.shape[0]}; raise the batch size, or drop the last, smaller batch (drop_last)."
            )
