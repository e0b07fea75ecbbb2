# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from monai_anomaly.networks.blocks.preactivation import LEAKY_SLOPE, leaky
from monai_anomaly.networks.nets.sepiad.autoencoder import Encoder, check_channels, check_geometry

__all__ = ["ImageCritic", "LatentCritic"]

_CRITIC_CHANNELS = {
    32: (32, 64, 128, 128),
    64: (32, 64, 128, 128, 128),
    128: (32, 32, 64, 128, 128, 128),
    256: (16, 32, 32, 64, 128, 128, 128),
}


class ImageCritic(nn.Module):
    """Critic of images: an ``Encoder`` with one output.

    Args:
        image_size: height and width of the image, in pixels.
        in_channels: 1 or 3.
        channels: widths as in ``Encoder``; None takes the published list of the critic.
        se: squeeze-and-excitation in the critic (``se_in_critic``); the author's code has it, the figure has not.
        se_reduction: ratio of the squeeze-and-excitation.
        se_gate_init: initial value of its gates.
        arch: "residual" or "paper"; the latter has a minibatch standard deviation before its head.

    Attributes:
        mixes_batch: whether a sample's output depends on the rest of its batch, so that real and fake samples need
            forward passes of their own.
    """

    def __init__(
        self,
        image_size: int = 64,
        in_channels: int = 1,
        *,
        channels: Sequence[int] | None = None,
        se: bool = True,
        se_reduction: int = 8,
        se_gate_init: float = 0.5,
        arch: str = "residual",
    ) -> None:
        super().__init__()
        check_geometry(image_size, in_channels, arch)
        self.mixes_batch = arch == "paper"
        self.encoder = Encoder(
            image_size,
            in_channels,
            channels=check_channels("critic channels", channels, _CRITIC_CHANNELS[image_size], image_size),
            latent_channels=1,
            se=se,
            se_reduction=se_reduction,
            se_gate_init=se_gate_init,
            arch=arch,
            minibatch_stddev=self.mixes_batch,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, in_channels, S, S)`` in [-1, 1] to ``(B, 1)``, unbounded."""
        return self.encoder(x).flatten(1)


class LatentCritic(nn.Module):
    """Critic of latent vectors: linear layers with leaky ReLU.

    Args:
        latent_channels: length of the latent vector.
        hidden_channels: widths of the hidden layers; None takes two of four times the latent vector, as published.

    Attributes:
        mixes_batch: False; see ``ImageCritic``.
    """

    def __init__(self, latent_channels: int = 256, *, hidden_channels: Sequence[int] | None = None) -> None:
        super().__init__()
        hidden = [4 * latent_channels] * 2 if hidden_channels is None else list(hidden_channels)
        widths = [latent_channels, *hidden]
        if any(w < 1 for w in widths):
            raise ValueError(f"latent_channels and hidden_channels must be at least 1, got {widths}.")
        self.mixes_batch = False
        hidden_layers = [nn.Linear(before, after) for before, after in pairwise(widths)]
        gain = nn.init.calculate_gain("leaky_relu", LEAKY_SLOPE)
        for layer in hidden_layers:
            nn.init.xavier_uniform_(layer.weight, gain)
        self.hidden = nn.ModuleList(hidden_layers)
        self.out = nn.Linear(widths[-1], 1)
        nn.init.xavier_uniform_(self.out.weight)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """``(B, latent_channels, 1, 1)`` (or flat) to ``(B, 1)``, unbounded."""
        h = z.flatten(1)
        for layer in self.hidden:
            h = leaky(layer(h))
        return self.out(h)
