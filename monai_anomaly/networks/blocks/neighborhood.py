# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which patches of a grid lie around each patch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Neighborhood"]


class Neighborhood(nn.Module):
    """Gathers the tokens around every patch of a grid: a square window less its center, padded at the borders.

    Args:
        grid: rows and columns of patches.
        size: side of the window, in patches: 3, 5, ...

    Attributes:
        locations: number of patches P, in row-major order.
        count: number of neighbors K = size^2 - 1, in row-major order of the window.
        index: ``(P, K)``, the patch that is each neighbor; P where the window leaves the grid.
        mask: ``(P, K)`` bool, True for neighbors inside the grid.

    Raises:
        ValueError: on a grid or size that does not exist, a window with more neighbors in a direction than the grid
            has, and in ``forward`` on another number of tokens.

    Example:
        >>> Neighborhood((2, 2))(torch.ones(1, 4, 5), torch.zeros(5)).sum(dim=(2, 3))  # three neighbors each
        tensor([[15., 15., 15., 15.]])
    """

    def __init__(self, grid: Sequence[int], size: int = 3) -> None:
        super().__init__()
        if len(grid) != 2 or min(grid) < 1:
            raise ValueError(f"grid must be two positive numbers (rows, columns), got {tuple(grid)}.")
        if size < 3 or size % 2 == 0:
            raise ValueError(f"neighborhood must be an odd number of at least 3, got {size}.")
        rows, cols = grid
        if size > 2 * min(rows, cols) - 1:
            raise ValueError(
                f"neighborhood of {size} x {size} patches has more neighbors than the grid of {rows} x {cols} has; "
                f"it must be at most {2 * min(rows, cols) - 1}, or the grid finer."
            )
        self.locations = rows * cols
        self.count = size * size - 1
        index = self._window(rows, cols, size // 2)
        # They follow from the grid, so they need no place in a checkpoint.
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("mask", index < self.locations, persistent=False)
        self.index: Tensor
        self.mask: Tensor

    @staticmethod
    def _window(rows: int, cols: int, reach: int) -> Tensor:
        """Return indices ``(P, K)`` of the patches around each patch, P outside the grid."""
        window = range(-reach, reach + 1)
        offsets = torch.tensor([(i, j) for i in window for j in window if (i, j) != (0, 0)])  # (K, 2)
        patches = torch.cartesian_prod(torch.arange(rows), torch.arange(cols))  # (P, 2)
        row, col = (patches[:, None] + offsets).unbind(dim=-1)  # (P, K) each
        inside = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
        return torch.where(inside, row * cols + col, rows * cols)

    def forward(self, tokens: Tensor, padding: Tensor) -> Tensor:
        """Tokens ``(B, P, D)``, and the token ``(D,)`` outside the grid, to neighbors ``(B, P, K, D)``."""
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            if tokens.dim() != 3 or tokens.shape[1] != self.locations:
                raise ValueError(
                    f"tokens must have shape (B, {self.locations}, D), got {list(tokens.shape)}; set grid to that of "
                    "the patches."
                )
        outside = padding.to(tokens.dtype).expand(tokens.shape[0], 1, tokens.shape[2])
        gathered = torch.cat([tokens, outside], dim=1).index_select(1, self.index.flatten())
        return gathered.reshape(tokens.shape[0], self.locations, self.count, tokens.shape[2])
