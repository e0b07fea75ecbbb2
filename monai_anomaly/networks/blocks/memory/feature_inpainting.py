# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from monai_anomaly.networks.blocks.memory.inpainting import CrossAttentionInpainting
from monai_anomaly.networks.blocks.memory.space_aware_memory import SpaceAwareMemory

__all__ = ["FeatureInpainting"]


class FeatureInpainting(nn.Module):
    """Bottleneck of SQUID and SimSID: every patch's features are painted anew from a memory of normal anatomy.

    The features of a patch are narrowed and flattened to one token, which asks the memory of its location; what the
    memory answered for the neighbors then fills the center (:class:`.CrossAttentionInpainting`), and a code of the
    patch's place, the binary digits of its number, joins the result before it is widened again.

    Args:
        grid: rows and columns of patches.
        map_shape: channels, height and width of a patch's features.
        token_channels: channels after the narrowing; a token has ``token_channels * height * width`` components.
        memory: the memory, with a location for every patch and the token's length as its ``dim``.
        heads: of the attention; must divide the token's length.
        hidden: width of its feed-forward part.
        neighborhood: side of the window, in patches.
        mask_border: see :class:`.CrossAttentionInpainting`.
        shortcut: probability, in (0, 1], that a position takes the painted features in training; the others keep
            their own (SQUID's masked shortcut: 0.95). Evaluation takes the painted ones everywhere, as 1 does.

    Raises:
        ValueError: on a shortcut outside its range, or a memory that does not fit.

    Source: SQUID (Xiang et al., CVPR 2023, https://arxiv.org/abs/2111.13495); SimSID (Xiang et al., TPAMI 2024,
    https://arxiv.org/abs/2403.08689).

    Example:
        >>> memory = SpaceAwareMemory(locations=4, slots=10, dim=16)
        >>> block = FeatureInpainting((2, 2), (8, 2, 2), 4, memory, heads=4)
        >>> painted, tokens = block(torch.rand(3 * 4, 8, 2, 2))
        >>> painted.shape, tokens.shape
        (torch.Size([12, 8, 2, 2]), torch.Size([3, 4, 16]))
    """

    def __init__(
        self,
        grid: Sequence[int],
        map_shape: Sequence[int],
        token_channels: int,
        memory: SpaceAwareMemory,
        *,
        heads: int = 8,
        hidden: int = 512,
        neighborhood: int = 3,
        mask_border: bool = True,
        shortcut: float = 1.0,
    ) -> None:
        super().__init__()
        channels, height, width = map_shape
        self.locations = grid[0] * grid[1]
        self.token_shape = (token_channels, int(height), int(width))
        dim = token_channels * height * width
        if not 0.0 < shortcut <= 1.0:
            raise ValueError(f"shortcut must lie in (0, 1], got {shortcut}; evaluation takes the memory alone.")
        if (memory.locations, memory.dim) != (self.locations, dim):
            raise ValueError(
                f"the memory must have {self.locations} locations and dim {dim}, got {memory.locations} and "
                f"{memory.dim}; make it for this grid and these features."
            )
        self.shortcut = float(shortcut)
        self.narrow = nn.Sequential(
            nn.Conv2d(channels, token_channels, 1, bias=False), nn.BatchNorm2d(token_channels), nn.ReLU()
        )
        self.memory = memory
        self.inpainting = CrossAttentionInpainting(
            grid, dim, heads=heads, hidden=hidden, neighborhood=neighborhood, mask_border=mask_border
        )
        code = _binary_code(self.locations)
        self.register_buffer("place", code, persistent=False)
        self.place: Tensor
        self.widen = nn.Sequential(
            nn.Conv2d(token_channels + code.shape[1], channels, 1), nn.BatchNorm2d(channels), nn.ReLU()
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``(B * P, C, h, w)`` to the painted ones, of the same shape, and their tokens ``(B, P, D)``."""
        narrow = self.narrow(features)
        tokens = narrow.reshape(-1, self.locations, narrow.shape[1] * narrow.shape[2] * narrow.shape[3])
        filled = self.inpainting(tokens, self.memory(tokens))
        painted = filled.reshape(narrow.shape)
        images = tokens.shape[0]
        place = self.place.to(painted.dtype).repeat(images, 1)[:, :, None, None]
        place = place.expand(-1, -1, painted.shape[2], painted.shape[3])
        painted = self.widen(torch.cat([painted, place], dim=1))
        if self.training and self.shortcut < 1.0:
            remembered = torch.rand_like(features[:, :1], dtype=torch.float32) < self.shortcut
            painted = torch.where(remembered, painted, features)
        return painted, tokens


def _binary_code(count: int) -> Tensor:
    """``(count, digits)``, the binary digits of 0 to count - 1, as many as count itself has."""
    digits = count.bit_length()
    return ((torch.arange(count)[:, None] >> torch.arange(digits)) & 1).float()
