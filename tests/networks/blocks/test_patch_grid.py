# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.networks.blocks.patch_grid import PatchGrid

# image_size, arguments, rows, columns, patch
GRIDS = [
    (12, {"grid": 1}, 1, 1, (12, 12)),
    (12, {"grid": 3}, 3, 3, (4, 4)),
    (12, {"patch_size": 4}, 3, 3, (4, 4)),
    ((12, 10), {"grid": (3, 5)}, 3, 5, (4, 2)),
    ((12, 10), {"patch_size": (4, 10)}, 3, 1, (4, 10)),
    ((4, 6), {"grid": (1, 6)}, 1, 6, (4, 1)),
    ((4, 6), {"patch_size": 1}, 4, 6, (1, 1)),
]


def _image(size, channels=3):
    height, width = (size, size) if isinstance(size, int) else size
    return torch.arange(2.0 * channels * height * width).reshape(2, channels, height, width)


@pytest.mark.parametrize(("size", "arguments", "rows", "cols", "patch"), GRIDS)
def test_patches_are_cut_row_by_row(size, arguments, rows, cols, patch):
    grid, image = PatchGrid(size, **arguments), _image(size)
    assert (grid.rows, grid.cols, grid.locations, grid.patch_size) == (rows, cols, rows * cols, patch)
    patches = grid(image)
    assert patches.shape == (2, rows * cols, 3, *patch)
    for r in range(rows):
        for c in range(cols):
            cut = image[:, :, r * patch[0] : (r + 1) * patch[0], c * patch[1] : (c + 1) * patch[1]]
            assert torch.equal(patches[:, r * cols + c], cut)


@pytest.mark.parametrize(("size", "arguments", "rows", "cols", "patch"), GRIDS)
def test_merge_undoes_split_and_split_merge(size, arguments, rows, cols, patch):
    grid, image = PatchGrid(size, **arguments), _image(size)
    patches = grid.split(image)
    assert torch.equal(grid.merge(patches), image)
    assert torch.equal(grid.split(grid.merge(patches)), patches)


def test_maps_of_another_size_and_memory_format_are_cut_by_the_same_grid():
    grid = PatchGrid((128, 64), grid=(2, 4))
    features = _image((6, 4), 5).contiguous(memory_format=torch.channels_last)
    patches = grid.split(features)
    assert patches.shape == (2, 8, 5, 3, 1)
    assert torch.equal(patches[:, 5], features[:, :, 3:6, 1:2])
    assert torch.equal(grid.merge(patches), features)


@pytest.mark.filterwarnings("ignore::FutureWarning", "error::torch.jit.TracerWarning")
def test_torchscript_by_script_and_by_trace_is_the_same():
    grid, image = PatchGrid((12, 10), grid=(3, 5)), _image((12, 10))
    scripted, traced = torch.jit.script(grid), torch.jit.trace(grid, image[:1])
    assert torch.equal(scripted(image), grid(image))
    assert torch.equal(scripted.merge(scripted.split(image)), image)
    assert torch.equal(traced(image), grid(image))
    with pytest.raises(torch.jit.Error, match="image must be"):
        scripted(image[:, :, 1:])


@pytest.mark.parametrize("arguments", [{}, {"grid": 2, "patch_size": 4}])
def test_exactly_one_of_grid_and_patch_size(arguments):
    with pytest.raises(ValueError, match="exactly one of grid and patch_size"):
        PatchGrid(8, **arguments)


@pytest.mark.parametrize("arguments", [{"grid": 3}, {"patch_size": 3}, {"grid": (2, 3)}, {"patch_size": (3, 2)}])
def test_what_does_not_divide_the_image(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=rf"{name} must divide image_size, but .* does not divide \(8, 8\)"):
        PatchGrid(8, **arguments)


@pytest.mark.parametrize(("size", "grid"), [(0, 1), (8, 0), (8, (2, -2)), (8, (2, 2, 2)), ((8,), 2)])
def test_sizes_that_make_no_sense(size, grid):
    with pytest.raises(ValueError, match="must be one positive number or two"):
        PatchGrid(size, grid=grid)


@pytest.mark.parametrize("shape", [(1, 1, 7, 6), (1, 1, 8, 7), (1, 8, 6), (1, 1, 1, 8, 6)])
def test_split_refuses_another_shape(shape):
    with pytest.raises(ValueError, match=r"image must be .* H a multiple of 4 and W of 3"):
        PatchGrid((8, 6), grid=(4, 3)).split(torch.rand(shape))


@pytest.mark.parametrize("shape", [(1, 11, 1, 2, 2), (1, 12, 2, 2)])
def test_merge_refuses_another_shape(shape):
    with pytest.raises(ValueError, match=r"patches must be \(B, 12, C, h, w\)"):
        PatchGrid((8, 6), grid=(4, 3)).merge(torch.rand(shape))
