# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Memories of patches, of blocks of patches and of whole images, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from monai_anomaly.networks.blocks.memory.space_aware_memory import SpaceAwareMemory

__all__ = ["HierarchicalMemory"]

LEVELS = ("patch", "block", "global")


class HierarchicalMemory(nn.Module):
    """Asks a memory at every level of a grid of patches and puts the answers side by side.

    The level "patch" remembers the feature of each patch, "block" the mean of each block of patches, "global" the
    largest value of each component over all patches of an image. Each level is a ``SpaceAwareMemory``; its locations
    are the patches, the blocks or the image.

    Args:
        grid: rows and columns of patches.
        dim: length D of a patch's feature.
        levels: one or more of "patch", "block" and "global", each once.
        block_size: rows and columns of patches in a block.
        slots: number of rows of each location, at every level.
        query: what asks a level: the feature of every "patch" (the report), at the location of its block or image; or
            the "pooled" feature, whose answer all patches of the block or image get.
        scope: see ``SpaceAwareMemory``, as for all that follow.
        write: see there.
        sparsify: see there.
        top_k: number of rows kept; as many as there are at a level that has fewer in scope.
        threshold: see there.
        reduce: see there.
        noise: see there.
        temperature: see there.
        similarity: see there.

    Attributes:
        out_dim: length of an answer, ``len(levels) * D``.

    Raises:
        ValueError: on an argument outside its range, and in ``forward`` and ``write`` on features of another shape.

    Source: report of S. R., "Unsupervised Anomaly Detection using SimSID algorithm", Algorithm 4.5. What SimSID calls
    hierarchical is another thing: several ``SpaceAwareMemory`` at different scales of the decoder.

    Example:
        >>> memory = HierarchicalMemory((8, 8), 64, slots=5)
        >>> memory(torch.rand(2, 64, 64)).shape
        torch.Size([2, 64, 192])
    """

    def __init__(
        self,
        grid: Sequence[int],
        dim: int,
        *,
        levels: Sequence[str] = LEVELS,
        block_size: int = 2,
        slots: int = 1,
        query: str = "patch",
        scope: str = "local",
        write: str = "learned",
        sparsify: str = "topk",
        top_k: int = 5,
        threshold: float = 0.0025,
        reduce: str = "weighted",
        noise: str = "never",
        temperature: float = 1.0,
        similarity: float = 0.9,
    ) -> None:
        super().__init__()
        if len(grid) != 2 or min(grid) < 1:
            raise ValueError(f"grid must be a positive number of rows and of columns, got {tuple(grid)}.")
        if not levels or len(set(levels)) < len(levels) or not set(levels) <= set(LEVELS):
            raise ValueError(f"levels must be some of {', '.join(map(repr, LEVELS))}, each once, got {tuple(levels)}.")
        if "block" in levels and (block_size < 1 or grid[0] % block_size or grid[1] % block_size):
            raise ValueError(
                f"block_size must divide the grid of {grid[0]} x {grid[1]} patches, got {block_size}; change it or "
                "leave the level 'block' out."
            )
        if query not in ("patch", "pooled"):
            raise ValueError(f"query must be 'patch' or 'pooled', got {query!r}.")
        if top_k < 1:
            raise ValueError(f"top_k must be at least 1, got {top_k}.")
        self.out_dim = len(levels) * dim
        self.top_k = top_k
        blocks = {"patch": (1, 1), "block": (block_size, block_size), "global": (grid[0], grid[1])}
        self.levels = nn.ModuleList()
        for level in levels:
            height, width = blocks[level]
            locations = (grid[0] // height) * (grid[1] // width)
            memory = SpaceAwareMemory(
                locations,
                slots,
                dim,
                scope=scope,
                write=write,
                sparsify=sparsify,
                top_k=min(top_k, slots if scope == "local" else locations * slots),
                threshold=threshold,
                reduce=reduce,
                noise=noise,
                temperature=temperature,
                similarity=similarity,
            )
            self.levels.append(
                _Level(memory, (grid[0], grid[1]), (height, width), level == "global", query == "pooled")
            )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Features ``(B, P, D)`` to the answers of all levels ``(B, P, len(levels) * D)``; writes nothing."""
        return torch.cat([level(tokens) for level in self.levels], dim=-1)

    def write(self, tokens: torch.Tensor) -> None:
        """Take the features ``(B, P, D)`` of normal images in at every level; see ``SpaceAwareMemory.write``."""
        for level in self._levels():
            level.memory.write(level.pool(tokens))

    def ensure_capacity(self, slots: int) -> None:
        """Grow every level to at least ``slots`` rows for each location; see ``SpaceAwareMemory.ensure_capacity``.

        A level that had fewer rows in scope than ``top_k`` then keeps more of them, as one made with ``slots`` would.
        """
        for level in self._levels():
            memory = level.memory
            memory.ensure_capacity(slots)
            memory.top_k = min(self.top_k, memory.slots * (1 if memory.is_local else memory.locations))

    def _levels(self) -> list[_Level]:
        return [cast(_Level, level) for level in self.levels]


class _Level(nn.Module):
    """A memory whose locations are blocks of ``(height, width)`` patches of a grid ``(rows, cols)``."""

    def __init__(
        self, memory: SpaceAwareMemory, grid: tuple[int, int], block: tuple[int, int], largest: bool, pooled: bool
    ) -> None:
        super().__init__()
        self.memory = memory
        self.rows, self.cols = grid
        self.height, self.width = block
        self.largest = largest  # pooled by the maximum, not the mean
        self.pooled = pooled  # asked by the pooled feature, not by the patches

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """``(B, P, D)`` to ``(B, P, D)``; the patches of a block ask like so many images, all at its location."""
        size = self.height * self.width
        if self.pooled:
            answer = self.memory(self.pool(tokens)).unsqueeze(1).expand(-1, size, -1, -1)
        else:
            blocks = self._to_blocks(tokens)
            answer = self.memory(blocks.flatten(0, 1)).reshape(blocks.shape)
        b, dim = tokens.shape[0], tokens.shape[2]
        answer = answer.reshape(b, self.height, self.width, self.rows // self.height, self.cols // self.width, dim)
        return answer.permute(0, 3, 1, 4, 2, 5).reshape(tokens.shape)

    def pool(self, tokens: torch.Tensor) -> torch.Tensor:
        """Patches ``(B, P, D)`` to what is remembered of each of L blocks, ``(B, L, D)``."""
        blocks = self._to_blocks(tokens)
        return blocks.amax(dim=1) if self.largest else blocks.mean(dim=1)

    def _to_blocks(self, tokens: torch.Tensor) -> torch.Tensor:
        """``(B, P, D)`` to ``(B, height * width, L, D)``: place in the block, block."""
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            self._check_tokens(tokens)
        rows, cols = self.rows // self.height, self.cols // self.width
        b, dim = tokens.shape[0], tokens.shape[2]
        blocks = tokens.reshape(b, rows, self.height, cols, self.width, dim).permute(0, 2, 4, 1, 3, 5)
        return blocks.reshape(b, self.height * self.width, rows * cols, dim)

    def _check_tokens(self, tokens: torch.Tensor) -> None:
        if tokens.dim() != 3 or tokens.shape[1] != self.rows * self.cols or tokens.shape[2] != self.memory.dim:
            shape = list(tokens.shape)
            raise ValueError(f"features must be (B, {self.rows * self.cols}, {self.memory.dim}), got {shape}.")
