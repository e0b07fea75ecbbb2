# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from monai_anomaly.networks.blocks.memory.space_aware_memory import SpaceAwareMemory
from monai_anomaly.networks.blocks.patch_grid import PatchGrid

__all__ = ["WindowMemory"]


class WindowMemory(nn.Module):
    """Memory for a decoder's map: each window of the map is replaced by what its own memory makes of it.

    Given the patches of an image as a batch, the window's place inside the patch selects the memory, which all patches
    share. The memory is normal anatomy at a second and third scale; together with that at the bottleneck it is SimSID's
    hierarchical memory.

    Args:
        window_grid: rows and columns of the windows, or one number for both.
        map_shape: channels, height and width of the map; the grid must divide the last two.
        slots: rows of each window's memory; a row holds a whole window.
        shortcut: probability that a position takes the memory's answer in training, in (0, 1]; the others keep their
            input, which leads gradients past the memory (SQUID's masked shortcut: 0.95). 1 takes the memory everywhere,
            as evaluation mode always does.
        scope, write, sparsify, top_k, threshold, reduce, noise, temperature, similarity: see ``SpaceAwareMemory``.

    Raises:
        ValueError: on a grid that does not divide the map, a shortcut outside its range, or an argument that
            ``SpaceAwareMemory`` refuses; in ``forward`` on a map of another shape.

    Source: SQUID (Xiang et al., CVPR 2023, https://arxiv.org/abs/2111.13495); SimSID (Xiang et al., TPAMI 2024,
    https://arxiv.org/abs/2403.08689).

    Example:
        >>> WindowMemory((2, 2), (8, 4, 4), slots=10)(torch.rand(3, 8, 4, 4)).shape
        torch.Size([3, 8, 4, 4])
    """

    def __init__(
        self,
        window_grid: int | Sequence[int],
        map_shape: Sequence[int],
        slots: int,
        *,
        shortcut: float = 1.0,
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
        if len(map_shape) != 3 or any(size < 1 for size in map_shape):
            raise ValueError(f"map_shape must be channels, height and width, all positive, got {list(map_shape)}.")
        if not 0.0 < shortcut <= 1.0:
            raise ValueError(f"shortcut must lie in (0, 1], got {shortcut}; evaluation takes the memory alone.")
        self.map_shape = [int(size) for size in map_shape]
        self.shortcut = float(shortcut)
        self.windows = PatchGrid(self.map_shape[1:], grid=window_grid)
        self.window_shape = [self.map_shape[0], *self.windows.patch_size]
        self.memory = SpaceAwareMemory(
            self.windows.locations,
            slots,
            self.window_shape[0] * self.window_shape[1] * self.window_shape[2],
            scope=scope,
            write=write,
            sparsify=sparsify,
            top_k=top_k,
            threshold=threshold,
            reduce=reduce,
            noise=noise,
            temperature=temperature,
            similarity=similarity,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, h, w)`` to the map retrieved, same shape and type."""
        retrieved = self.windows.merge(self.memory(self.tokens(x)).unflatten(2, self.window_shape))
        if self.training and self.shortcut < 1.0:
            remembered = torch.rand_like(x[:, :1], dtype=torch.float32) < self.shortcut
            return torch.where(remembered, retrieved, x)
        return retrieved

    def tokens(self, x: Tensor) -> Tensor:
        """Map ``(N, C, h, w)`` to its windows ``(N, windows, C * window height * window width)``, row by row."""
        if not torch.jit.is_tracing() and list(x.shape[1:]) != self.map_shape:  # type: ignore[attr-defined]
            raise ValueError(
                f"the map must have shape (N, C, h, w) with (C, h, w) = {self.map_shape}, got {list(x.shape)}."
            )
        return self.windows.split(x).flatten(2)

    def write(self, x: Tensor) -> None:
        """Store the windows of ``(N, C, h, w)``; see ``SpaceAwareMemory.write``."""
        self.memory.write(self.tokens(x))
