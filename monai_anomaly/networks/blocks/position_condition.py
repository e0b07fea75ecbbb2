# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_anomaly.networks.blocks.instance_norm import InstanceNorm

__all__ = ["POSITIONS", "PositionCondition"]

POSITIONS = ("film", "official", "none")


class PositionCondition(nn.Module):
    """1x1 convolution, instance normalization and ReLU on features of patches, which may tell a patch its place.

    "film" puts ``(1 + gamma) * z + beta`` behind the norm, with a gamma and a beta per place and channel, all zero at
    the start. "official" appends the place's number in binary, as constant planes, before the convolution, as SAGAN
    does; the norm takes every constant away again, so that it does nothing and is there for parity. "none" is without.

    Args:
        channels: C.
        locations: number of patches K of an image.
        kind: "film", "official" or "none".
        maps: of the :class:`.InstanceNorm`, 1 as published; with K the binary numbers are no longer without effect.

    Raises:
        ValueError: on a number that is not positive or an unknown kind; in ``forward`` on maps that are not K for each
            image.

    Source: Perez et al., "FiLM", AAAI 2018, https://arxiv.org/abs/1709.07871; SAGAN (Zhang et al., MICCAI 2024,
    https://arxiv.org/abs/2405.12872).

    Example:
        >>> PositionCondition(8, 4)(torch.rand(12, 8, 16, 16)).shape  # three images of 2 x 2 patches
        torch.Size([12, 8, 16, 16])
    """

    def __init__(self, channels: int, locations: int, *, kind: str = "film", maps: int = 1) -> None:
        super().__init__()
        if min(channels, locations) < 1:
            raise ValueError(f"channels and locations must be positive, got {channels} and {locations}.")
        if kind not in POSITIONS:
            raise ValueError(f"kind must be one of {', '.join(map(repr, POSITIONS))}, got {kind!r}.")
        self.locations = locations
        self.kind = kind
        codes = _binary(locations) if kind == "official" else torch.zeros(locations, 0)
        self.register_buffer("codes", codes[:, :, None, None], persistent=False)
        self.codes: Tensor
        # the norm takes a bias away again; the published layer has it all the same
        self.conv = nn.Conv2d(channels + codes.shape[1], channels, 1, bias=kind == "official")
        self.norm = InstanceNorm(channels, affine=False, maps=maps)
        film = kind == "film"
        self.gamma = nn.Parameter(torch.zeros(locations, channels)) if film else None
        self.beta = nn.Parameter(torch.zeros(locations, channels)) if film else None

    def forward(self, x: Tensor) -> Tensor:
        """Features ``(B * K, C, h, w)``, the patches of an image one after the other, to the same shape, >= 0."""
        if not torch.jit.is_tracing() and x.shape[0] % self.locations != 0:  # type: ignore[attr-defined]
            raise ValueError(f"x must hold all {self.locations} patches of each image, got {x.shape[0]} maps in all.")
        if self.kind == "official":
            codes = self.codes.to(x.dtype).repeat(x.shape[0] // self.locations, 1, 1, 1)
            x = torch.cat([x, codes.expand(-1, -1, x.shape[2], x.shape[3])], dim=1)
        z = self.norm(self.conv(x))
        gamma, beta = self.gamma, self.beta
        if gamma is not None and beta is not None:
            of_place = z.unflatten(0, (-1, self.locations))
            shift = beta.to(z.dtype)[:, :, None, None]
            z = torch.addcmul(shift, of_place, 1.0 + gamma.to(z.dtype)[:, :, None, None]).flatten(0, 1)
        return F.relu(z)


def _binary(count: int) -> Tensor:
    """Numbers 0 to ``count - 1`` as rows of zeros and ones, the highest digit first, with a digit for ``count``."""
    digits = torch.arange(count.bit_length() - 1, -1, -1)
    return ((torch.arange(count)[:, None] >> digits) & 1).float()
