# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Attention of every position of a map to every other."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SelfAttentionBlock"]


class SelfAttentionBlock(nn.Module):
    """Multi-head self-attention over all positions of a map, added to it, then a layer norm over the channels.

    The scores of all pairs of positions are never stored, neither for the answer nor for the gradient: memory grows
    with the number of positions, not with its square.

    ``nn.MultiheadAttention`` and ``GroupAttention`` tie the length of a head to the channels; MONAI's ``SABlock`` needs
    einops and has one input for queries, keys and values; its ``SpatialAttentionBlock`` normalizes first.

    Args:
        channels: channels C of the map; a multiple of 4 with ``position``.
        heads: number of heads.
        head_dim: length of a query, key or value of one head; need not divide C.
        position: add fixed sine and cosine codes of row and column to what queries and keys are made of. Without, the
            block knows no places: positions in another order give the same answers in that order.
        eps: added to the variance in the layer norm.

    Raises:
        ValueError: on an argument outside its range, and in ``forward`` on a map of another shape.

    Source: OCAD, "One-Class Anomaly Detection" by W. Aljuhani; attention and codes: Vaswani et al., "Attention is all
    you need", NeurIPS 2017, arXiv:1706.03762.

    Example:
        >>> SelfAttentionBlock(8, heads=2, head_dim=4)(torch.rand(2, 8, 6, 6)).shape
        torch.Size([2, 8, 6, 6])
    """

    def __init__(
        self, channels: int, *, heads: int = 4, head_dim: int = 64, position: bool = False, eps: float = 1e-3
    ) -> None:
        super().__init__()
        if min(channels, heads, head_dim) < 1:
            raise ValueError(
                f"channels, heads and head_dim must be at least 1, got {channels}, {heads} and {head_dim}."
            )
        if position and channels % 4 != 0:
            raise ValueError(
                f"channels must be a multiple of 4 for position codes, got {channels}; set position=False."
            )
        if not 0.0 < eps < float("inf"):
            raise ValueError(f"eps must be positive, got {eps}.")
        self.channels = channels
        self.heads = heads
        self.head_dim = head_dim
        self.position = position
        self.query = nn.Linear(channels, heads * head_dim)
        self.key = nn.Linear(channels, heads * head_dim)
        self.value = nn.Linear(channels, heads * head_dim)
        self.out = nn.Linear(heads * head_dim, channels)
        self.norm = nn.LayerNorm(channels, eps=eps)
        for layer in (self.query, self.key, self.value, self.out):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` of any H and W to the same shape; in memory the channels are last."""
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            self._check_map(x)
        b, c, h, w = x.shape
        tokens = x.flatten(2).transpose(1, 2).contiguous()  # (B, H W, C), copied once, not by each projection
        placed = tokens + _position_codes(h, w, c, x.device).to(x.dtype) if self.position else tokens
        query, key = self._split(self.query(placed)), self._split(self.key(placed))
        answer = F.scaled_dot_product_attention(query, key, self._split(self.value(tokens)))
        tokens = self.norm(tokens + self.out(answer.transpose(1, 2).flatten(2)))
        return tokens.transpose(1, 2).reshape(b, c, h, w)

    def _split(self, tokens: Tensor) -> Tensor:
        """``(B, N, heads * head_dim)`` to a view ``(B, heads, N, head_dim)``."""
        return tokens.reshape(tokens.shape[0], tokens.shape[1], self.heads, self.head_dim).transpose(1, 2)

    def _check_map(self, x: Tensor) -> None:
        if x.dim() != 4 or x.shape[1] != self.channels:
            raise ValueError(f"the map must have shape (B, {self.channels}, H, W), got {list(x.shape)}; set channels.")


def _position_codes(height: int, width: int, channels: int, device: torch.device) -> Tensor:
    """Codes ``(H W, C)`` in [-1, 1]: a quarter of the channels each for sine and cosine of column, then of row.

    As MONAI's ``build_sincos_position_embedding``, which TorchScript cannot read and which is made for one size of map.
    """
    quarter = channels // 4
    rate = 10000.0 ** (-torch.arange(quarter, device=device, dtype=torch.float32) / quarter)
    row = (torch.arange(height, device=device, dtype=torch.float32)[:, None] * rate)[:, None].expand(-1, width, -1)
    column = (torch.arange(width, device=device, dtype=torch.float32)[:, None] * rate)[None].expand(height, -1, -1)
    return torch.cat([column.sin(), column.cos(), row.sin(), row.cos()], dim=-1).flatten(0, 1)
