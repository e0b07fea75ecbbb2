# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A patch's token made anew from what a memory answered for the patches around it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from monai_anomaly.networks.blocks.group_attention import GroupAttention
from monai_anomaly.networks.blocks.neighborhood import Neighborhood

__all__ = ["CENTER_TOKENS", "CrossAttentionInpainting", "TransformerInpainting"]

CENTER_TOKENS = ("mask", "memory", "feature")


def _check_sizes(hidden: int, dropout: float) -> None:
    if hidden < 1:
        raise ValueError(f"hidden must be at least 1, got {hidden}.")
    if not 0.0 <= dropout < 1.0:
        raise ValueError(f"dropout must lie in [0, 1), got {dropout}.")


def _feed_forward(dim: int, hidden: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, dim), nn.Dropout(dropout)
    )


def _visible(neighborhood: Neighborhood, mask_border: bool) -> Tensor:
    """``(P, K)`` bool, the neighbors that a patch may look at."""
    return neighborhood.mask if mask_border else torch.ones_like(neighborhood.mask)


class CrossAttentionInpainting(nn.Module):
    """In-painting of SQUID and SimSID: a patch's feature asks the memory's answers around it.

    One attention, of which the patch's feature is the query and the retrieved tokens of its neighbors are keys and
    values, and a feed-forward part; each is normalized, added to the retrieved token and rectified. Keys and values
    are projected once per patch and then gathered, not once for each of the (up to eight) patches that it neighbors.

    Args:
        grid: rows and columns of patches.
        dim: length of a token.
        heads: heads of the attention; must divide ``dim``.
        hidden: width of the feed-forward part.
        neighborhood: side of the window, in patches.
        mask_border: attend to the neighbors inside the grid alone; False pads with zero tokens that count, as
            published: five of the eight neighbors in a 2 x 2 grid.
        dropout: rate in the feed-forward part.

    Raises:
        ValueError: on an argument outside its range, and in ``forward`` on retrieved tokens of another grid.

    Source: Xiang et al., "SQUID", CVPR 2023, https://arxiv.org/abs/2111.13495; SimSID, TPAMI 2024,
    https://arxiv.org/abs/2403.08689.

    Example:
        >>> tokens, retrieved = torch.rand(2, 2, 4, 16)
        >>> CrossAttentionInpainting((2, 2), 16)(tokens, retrieved).shape
        torch.Size([2, 4, 16])
    """

    def __init__(
        self,
        grid: Sequence[int],
        dim: int,
        *,
        heads: int = 8,
        hidden: int = 512,
        neighborhood: int = 3,
        mask_border: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        _check_sizes(hidden, dropout)
        self.neighborhood = Neighborhood(grid, neighborhood)
        self.register_buffer("visible", _visible(self.neighborhood, mask_border), persistent=False)
        self.visible: Tensor
        self.attention = GroupAttention(dim, heads)
        self.norm1 = nn.LayerNorm(dim)
        self.feed_forward = _feed_forward(dim, hidden, dropout)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor, retrieved: Tensor) -> Tensor:
        """Features and what the memory answered for them, both ``(B, P, D)``, to new tokens ``(B, P, D)``, >= 0."""
        projection = self.attention.key_value
        # a zero token outside the grid becomes the projection's bias
        around = self.neighborhood(projection(retrieved), projection.bias)
        answer = self.attention(tokens.unsqueeze(2), around, self.visible).squeeze(2)
        filled = torch.relu(self.norm1(answer) + retrieved)
        return torch.relu(self.norm2(self.feed_forward(filled)) + filled)


class _EncoderLayer(nn.Module):
    """Transformer encoder layer, normalized before each part, that can stop at the first tokens of a group.

    ``nn.TransformerEncoderLayer`` computes every token of the last layer, though one is wanted, and in evaluation mode
    runs another kernel than in training. MONAI's ``TransformerBlock`` needs einops.
    """

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float, keep: int) -> None:
        super().__init__()
        self.keep = keep
        self.norm1 = nn.LayerNorm(dim)
        self.attention = GroupAttention(dim, heads)
        self.dropout = nn.Dropout(dropout)
        self.norm2 = nn.LayerNorm(dim)
        self.feed_forward = _feed_forward(dim, hidden, dropout)

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        """Reduce groups ``(B, P, T, D)`` to their first tokens ``(B, P, keep, D)``; ``visible`` is ``(P, T)``."""
        normed = self.norm1(x)
        answer = self.attention(normed[:, :, : self.keep], self.attention.key_value(normed), visible)
        x = x[:, :, : self.keep] + self.dropout(answer)
        return x + self.feed_forward(self.norm2(x))


class TransformerInpainting(nn.Module):
    """In-painting of the report: a transformer encoder over each patch and the memory's answers around it.

    What the memory answered for the neighbors is projected to the tokens' length, the center joins them, each gets
    the learned embedding of its place in the window, and the encoder's answer at the center, through a linear layer,
    is the new token. The layers normalize first, which trains without warm-up; all patches of a batch are one call.

    Args:
        grid: rows and columns of patches.
        dim: length of a token.
        memory_dim: length of the retrieved tokens, M; None is ``dim``.
        heads: heads of the attention; must divide ``dim``.
        layers: number of encoder layers.
        hidden: width of the layers' feed-forward part.
        neighborhood: side of the window, in patches.
        mask_border: attend to the neighbors inside the grid alone; False pads with zero tokens that count.
        center_token: "mask", one learned token; "memory", what the memory answered for the patch itself; "feature",
            the patch's own feature as the report has it, which can then pass through unchanged. With the first two,
            no feature is used: the tokens matter through the memory alone.
        dropout: rate in both parts of the layers.

    Raises:
        ValueError: on an argument outside its range, and in ``forward`` on retrieved tokens of another grid.

    Source: S. R., "Unsupervised Anomaly Detection using SimSID algorithm", Anna University, 2025, Algorithms 4.6, 4.7.

    Example:
        >>> tokens, retrieved = torch.rand(2, 16, 8), torch.rand(2, 16, 24)
        >>> TransformerInpainting((4, 4), 8, memory_dim=24)(tokens, retrieved).shape
        torch.Size([2, 16, 8])
    """

    def __init__(
        self,
        grid: Sequence[int],
        dim: int,
        *,
        memory_dim: int | None = None,
        heads: int = 4,
        layers: int = 2,
        hidden: int = 256,
        neighborhood: int = 3,
        mask_border: bool = True,
        center_token: str = "mask",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        _check_sizes(hidden, dropout)
        if center_token not in CENTER_TOKENS:
            raise ValueError(f"center_token must be one of {CENTER_TOKENS}, got {center_token!r}.")
        if layers < 1:
            raise ValueError(f"layers must be at least 1, got {layers}.")
        self.center_token = center_token
        self.neighborhood = Neighborhood(grid, neighborhood)
        visible = _visible(self.neighborhood, mask_border)
        visible = torch.cat([torch.ones_like(visible[:, :1]), visible], dim=1)  # the center is the first of its group
        self.register_buffer("visible", visible, persistent=False)
        self.visible: Tensor
        count = visible.shape[1]
        self.projection = nn.Linear(dim if memory_dim is None else memory_dim, dim)
        self.position = nn.Parameter(torch.empty(count, dim))
        nn.init.trunc_normal_(self.position, std=0.02)
        self.layers = nn.ModuleList(
            _EncoderLayer(dim, heads, hidden, dropout, keep=count if i < layers - 1 else 1) for i in range(layers)
        )
        self.norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, retrieved: Tensor) -> Tensor:
        """Features ``(B, P, D)`` and what the memory answered ``(B, P, M)`` to new tokens ``(B, P, D)``."""
        projected = self.projection(retrieved)
        around = self.neighborhood(projected, self.projection.bias)  # a zero token outside becomes the bias
        if self.center_token == "memory":
            center = projected
        elif self.center_token == "feature":
            center = tokens
        else:
            center = torch.zeros_like(projected)  # the embedding of the center is the mask token
        x = torch.cat([center.unsqueeze(2), around], dim=2) + self.position  # (B, P, 1 + K, D)
        for layer in self.layers:
            x = layer(x, self.visible)
        return self.out(self.norm(x.squeeze(2)))
