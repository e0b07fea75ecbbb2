# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_anomaly.networks.blocks.instance_norm import InstanceNorm

__all__ = ["GATE_NORMS", "AttentionGate"]

GATE_NORMS = ("none", "instance")


class AttentionGate(nn.Module):
    """Lets features pass where a gating signal of the same grid asks for them: ``skip * attention(gate, skip)``.

    The attention is ``sigmoid(norm(psi(relu(norm(gate) + norm(skip)))))`` with a 1x1 convolution before each norm. The
    published gate also normalizes the one map in front of the sigmoid, to mean 0: its mean attention is about one half
    whatever it sees, and it can neither open nor close as a whole. By default ours has no norm there.

    MONAI's ``AttentionBlock`` has batch normalization in all three places.

    Args:
        channels: C, of the gating signal and of the features.
        inner: channels in between.
        norm: in front of the sigmoid: "none", or "instance" as published.
        maps: of the :class:`.InstanceNorm`, 1 as published.

    Raises:
        ValueError: on a width that is not positive or an unknown norm; in ``forward`` on two maps of unequal shape.

    Source: Oktay et al., "Attention U-Net", MIDL 2018, https://arxiv.org/abs/1804.03999; with instance normalization:
    SAGAN (Zhang et al., MICCAI 2024, https://arxiv.org/abs/2405.12872).

    Example:
        >>> gate = AttentionGate(8, 4)
        >>> gate(torch.rand(2, 8, 16, 16), torch.rand(2, 8, 16, 16)).shape
        torch.Size([2, 8, 16, 16])
    """

    def __init__(self, channels: int, inner: int, *, norm: str = "none", maps: int = 1) -> None:
        super().__init__()
        if min(channels, inner) < 1:
            raise ValueError(f"channels and inner must be positive, got {channels} and {inner}.")
        if norm not in GATE_NORMS:
            raise ValueError(f"norm must be one of {', '.join(map(repr, GATE_NORMS))}, got {norm!r}.")
        published = norm == "instance"
        # the norm takes a bias away again; the published gate has it all the same
        self.gate = nn.Conv2d(channels, inner, 1, bias=published)
        self.skip = nn.Conv2d(channels, inner, 1, bias=published)
        self.norm = InstanceNorm(inner, affine=False, maps=maps)
        self.psi = nn.Conv2d(inner, 1, 1)
        self.psi_norm = InstanceNorm(1, affine=False, maps=maps) if published else nn.Identity()

    @torch.jit.export
    def attention(self, gate: Tensor, skip: Tensor) -> Tensor:
        """Gating signal and features ``(B, C, h, w)`` to the attention ``(B, 1, h, w)``, in (0, 1)."""
        if not torch.jit.is_tracing() and gate.shape != skip.shape:  # type: ignore[attr-defined]
            raise ValueError(f"gate and skip must have one shape, got {list(gate.shape)} and {list(skip.shape)}.")
        h = F.relu(self.norm(self.gate(gate)) + self.norm(self.skip(skip)))
        return torch.sigmoid(self.psi_norm(self.psi(h)))

    def forward(self, gate: Tensor, skip: Tensor) -> Tensor:
        """Gating signal and features ``(B, C, h, w)`` to the features times the attention, ``(B, C, h, w)``."""
        return skip * self.attention(gate, skip)
