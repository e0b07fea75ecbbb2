# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import fft, sparse
from scipy.sparse import linalg

from monai_anomaly.transforms.poisson_solver import sine_matrix, solve_poisson


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def reference(source: np.ndarray) -> np.ndarray:
    """Write the equations of one rectangle down, one by one, and solves them in float64."""
    height, width = source.shape
    matrix = sparse.lil_matrix((height * width, height * width))
    for row in range(height):
        for column in range(width):
            here = row * width + column
            matrix[here, here] = 4.0
            for r, c in [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]:
                if 0 <= r < height and 0 <= c < width:
                    matrix[here, r * width + c] = -1.0
    return np.atleast_1d(linalg.spsolve(matrix.tocsc(), source.astype(np.float64).ravel())).reshape(height, width)


SIZES = [(1, 1), (1, 7), (8, 1), (2, 2), (5, 9), (12, 12), (24, 17), (20, 24)]


def test_each_rectangle_of_a_batch_is_solved() -> None:
    source = torch.randn(len(SIZES), 2, 24, 26, generator=seeded(0))  # random beyond the rectangles, too
    heights, widths = torch.tensor(SIZES).unbind(dim=1)
    result = solve_poisson(source, heights, widths)
    assert result.dtype == torch.float32
    for i, (height, width) in enumerate(SIZES):
        expected = np.zeros((2, 24, 26))
        for channel in range(2):
            expected[channel, :height, :width] = reference(source[i, channel, :height, :width].numpy())
        np.testing.assert_allclose(result[i].numpy(), expected, atol=2e-5)
        assert (result[i, :, height:] == 0).all() and (result[i, :, :, width:] == 0).all()


def test_long_rectangles_keep_their_digits() -> None:
    """The lowest wave of a long rectangle, which the solver amplifies most."""
    size, batch = 200, torch.tensor([200])
    wave = np.sin(np.pi * np.arange(1, size + 1) / (size + 1))
    solution = np.outer(wave, wave)
    source = solution * 2 * (2 - 2 * np.cos(np.pi / (size + 1)))
    result = solve_poisson(torch.from_numpy(source)[None, None], batch, batch)
    np.testing.assert_allclose(result[0, 0].numpy(), solution, atol=2e-4)


@pytest.mark.parametrize("count", [1, 2, 6, 150])
def test_sine_matrix(count: int) -> None:
    matrix = sine_matrix(torch.tensor([count]), count + 3)[0].numpy()
    assert (matrix[count:] == 0).all() and (matrix[:, count:] == 0).all()
    used = matrix[:count, :count]
    np.testing.assert_allclose(used, fft.dst(np.eye(count), type=1, norm="ortho"), atol=1e-6)
    np.testing.assert_allclose(used @ used, np.eye(count), atol=2e-6)


def test_precision_does_not_follow_the_surroundings() -> None:
    source, size = torch.randn(2, 1, 12, 12, generator=seeded(1)), torch.tensor([12, 9])
    expected = solve_poisson(source, size, size)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(solve_poisson(source, size, size), expected)
    half = solve_poisson(source.half(), size, size)
    assert torch.equal(half, solve_poisson(source.half().float(), size, size))


def test_wrong_arguments() -> None:
    source, size = torch.zeros(2, 1, 5, 6), torch.tensor([5, 5])
    with pytest.raises(ValueError, match="source must be"):
        solve_poisson(source[0], size, size)
    with pytest.raises(ValueError, match="height and width"):
        solve_poisson(source, size[:1], size)
    with pytest.raises(ValueError, match=r"height must lie in \[1, 5\]"):
        solve_poisson(source, size + 1, size)
    with pytest.raises(ValueError, match=r"width must lie in \[1, 6\].*\[0, 0\]"):
        solve_poisson(source, size, size * 0)
