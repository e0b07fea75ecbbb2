# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.networks.blocks.neighborhood import Neighborhood


def _by_hand(tokens, padding, grid, size):
    """Neighbors of every patch, found by walking the window."""
    rows, cols = grid
    reach = size // 2
    found, real = [], []
    for row in range(rows):
        for col in range(cols):
            for i in range(row - reach, row + reach + 1):
                for j in range(col - reach, col + reach + 1):
                    if (i, j) == (row, col):
                        continue
                    inside = 0 <= i < rows and 0 <= j < cols
                    real.append(inside)
                    found.append(tokens[:, i * cols + j] if inside else padding.expand(tokens.shape[0], -1))
    shape = (rows * cols, size * size - 1)
    return torch.stack(found, dim=1).unflatten(1, shape), torch.tensor(real).reshape(shape)


@pytest.mark.parametrize(("grid", "size"), [((2, 2), 3), ((3, 4), 3), ((5, 2), 3), ((3, 4), 5), ((4, 4), 7)])
def test_gathers_the_window_around_every_patch(grid, size):
    torch.manual_seed(0)
    tokens, padding = torch.randn(2, grid[0] * grid[1], 3), torch.randn(3)
    neighborhood = Neighborhood(grid, size)
    expected, real = _by_hand(tokens, padding, grid, size)
    assert torch.equal(neighborhood(tokens, padding), expected)
    assert torch.equal(neighborhood.mask, real)
    assert torch.equal(torch.jit.script(neighborhood)(tokens, padding), expected)


def test_corners_have_three_edges_five_and_the_middle_eight_neighbors():
    counts = Neighborhood((3, 4)).mask.sum(dim=1)
    assert counts.tolist() == [3, 5, 5, 3, 5, 8, 8, 5, 3, 5, 5, 3]


def test_a_checkpoint_holds_nothing_of_it():
    assert not Neighborhood((2, 2)).state_dict()


@pytest.mark.parametrize(
    ("grid", "size", "message"),
    [
        ((1, 4), 3, "3 x 3 patches has more neighbors than the grid of 1 x 4 has; it must be at most 1"),
        ((4, 2), 5, "5 x 5 patches has more neighbors than the grid of 4 x 2 has; it must be at most 3"),
        ((4, 4), 4, "odd number of at least 3, got 4"),
        ((4, 4), 1, "odd number of at least 3, got 1"),
        ((4, 0), 3, "grid must be two positive numbers"),
        ((4,), 3, "grid must be two positive numbers"),
    ],
)
def test_refuses_what_the_grid_has_not(grid, size, message):
    with pytest.raises(ValueError, match=message):
        Neighborhood(grid, size)


@pytest.mark.parametrize("shape", [(2, 5, 3), (4, 3)])
def test_refuses_the_tokens_of_another_grid(shape):
    with pytest.raises(ValueError, match=r"tokens must have shape \(B, 4, D\)"):
        Neighborhood((2, 2))(torch.rand(shape), torch.zeros(3))
