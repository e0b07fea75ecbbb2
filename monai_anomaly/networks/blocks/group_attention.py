# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Attention within many small groups of tokens at once."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["GroupAttention"]


class GroupAttention(nn.Module):
    """Multi-head attention of P groups of tokens, each on its own, in one call.

    ``nn.MultiheadAttention`` can neither take keys that are projected already, nor a mask that is the same for every
    image without copying it; its kernel in evaluation mode is another one than in training.

    Args:
        dim: length of a token.
        heads: number of heads; must divide ``dim``.

    Raises:
        ValueError: when ``heads`` does not divide ``dim``.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if dim < 1 or heads < 1 or dim % heads != 0:
            raise ValueError(f"heads must divide the token length dim, got {heads} heads and dim {dim}.")
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)
        bound = (1.5 / dim) ** 0.5  # nn.MultiheadAttention starts so: Xavier over the three projections as one matrix
        for layer in (self.query, self.key_value):
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.out.bias)

    def _split(self, tokens: Tensor) -> Tensor:
        """``(B, P, T, D)`` to ``(B, P * heads, T, D / heads)``; with groups as heads, all images share one mask."""
        b, p, t, d = tokens.shape
        return tokens.reshape(b, p, t, self.heads, d // self.heads).transpose(2, 3).flatten(1, 2)

    def forward(self, tokens: Tensor, key_value: Tensor, visible: Tensor) -> Tensor:
        """Answer for every token of every group.

        Args:
            tokens: ``(B, P, T, D)``, not yet projected.
            key_value: ``(B, P, K, 2 D)``, what ``key_value`` made of the K tokens that a group looks at.
            visible: ``(P, K)`` bool, the tokens that each group may look at, one at least.

        Returns:
            ``(B, P, T, D)``.
        """
        b, p, t, d = tokens.shape
        key, value = key_value.chunk(2, dim=-1)
        mask = visible.repeat_interleave(self.heads, dim=0)[None, :, None]  # (1, P * heads, 1, K)
        query = self._split(self.query(tokens))
        answer = F.scaled_dot_product_attention(query, self._split(key), self._split(value), attn_mask=mask)
        return self.out(answer.reshape(b, p, self.heads, t, d // self.heads).transpose(2, 3).reshape(b, p, t, d))
