# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["NORMS", "make_norm"]

NORMS = ("none", "group")
_MAX_GROUPS = 8


class _GroupNorm(nn.GroupNorm):
    """torch's, without its check of the size, which cannot be traced."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


def make_norm(kind: str, channels: int) -> nn.Module:
    """Make a normalization of maps ``(B, C, H, W)`` that treats an image the same in any batch, training or not.

    Args:
        kind: "none" (identity) or "group": group normalization in at most 8 groups of equal width, with a factor and an
            offset per channel, tied to no position.
        channels: C.

    Raises:
        ValueError: on an unknown kind.

    Source: Wu and He, "Group normalization", ECCV 2018, https://arxiv.org/abs/1803.08494.
    """
    if kind not in NORMS:
        raise ValueError(f"norm must be one of {', '.join(map(repr, NORMS))}, got {kind!r}.")
    return nn.Identity() if kind == "none" else _GroupNorm(math.gcd(channels, _MAX_GROUPS), channels)
