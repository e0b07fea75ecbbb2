# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How visible the borders of patches are in images that a network makes patch by patch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from monai_anomaly.networks.blocks.patch_grid import PatchGrid

__all__ = ["seam_ratio"]


def seam_ratio(image: Tensor, grid: int | Sequence[int]) -> float:
    """Mean absolute step across the borders of patches over that inside patches: about 1 where no border is seen.

    A step is the difference of two neighboring pixels of one column or one row, in each channel. All steps of all
    images count alike. It is the blockiness of compressed pictures, with the patches for blocks.

    Args:
        image: ``(B, C, H, W)``, any intensity scale, on any device.
        grid: rows and columns of patches, or one number for both.

    Raises:
        ValueError: when ``image`` has another shape, no pixels or a value that is not finite; when the grid does not
            divide it or has no borders; and where the ratio is undefined because the images are constant inside their
            patches.
    """
    if image.dim() != 4 or image.numel() == 0:
        raise ValueError(f"image must be (B, C, H, W) with at least one pixel, got {list(image.shape)}.")
    patches = PatchGrid(image.shape[2:], grid=grid)
    if patches.locations == 1:
        raise ValueError("grid must have more than one patch, got 1: a single patch has no borders.")
    values = image.detach().cpu().double()
    if not values.isfinite().all():
        raise ValueError("image must be finite, and a pixel is not; the training may have diverged.")
    steps = [_split(values, patches.patch_size[0], dim=2), _split(values, patches.patch_size[1], dim=3)]
    across, inside = (torch.cat(part) for part in zip(*steps, strict=True))
    if not inside.any():
        raise ValueError("the ratio is undefined: no pixel differs from its neighbor inside the patches.")
    return float(across.mean() / inside.mean())


def _split(values: Tensor, side: int, dim: int) -> tuple[Tensor, Tensor]:
    """Absolute steps along an axis, flat: those across borders, which are `side` pixels apart, and the others."""
    steps = values.diff(dim=dim).abs()
    at_border = torch.arange(1, values.shape[dim]) % side == 0
    return tuple(steps.movedim(dim, 0)[rows].flatten() for rows in (at_border, ~at_border))  # type: ignore[return-value]
