# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An image as a grid of patches, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["PatchGrid"]


class PatchGrid(nn.Module):
    """Non-overlapping patches of an image or a feature map, and back, exactly.

    Patches are numbered row by row. Only strides change on the way: ``torch.nn.Unfold`` copies every patch into a
    column first, and MONAI's ``GridPatch`` cuts single arrays while they are loaded.

    Args:
        image_size: height and width of the image, in pixels; one number for a square.
        grid: number of rows and columns of patches; one number for as many of both.
        patch_size: height and width of a patch, in pixels; one number for a square. Give this or ``grid``.

    Attributes:
        rows: number of rows of patches.
        cols: number of patches in a row.
        locations: number of patches P.
        patch_size: height and width of a patch of the image, in pixels.

    Raises:
        ValueError: when not exactly one of ``grid`` and ``patch_size`` is given, when it does not divide the image, and
            in ``split`` and ``merge`` on a tensor of another shape.

    Source: report of S. R., "Unsupervised Anomaly Detection using SimSID algorithm", Algorithm 4.1.

    Example:
        >>> patches = PatchGrid(128, patch_size=16)
        >>> patches.split(torch.rand(2, 1, 128, 128)).shape
        torch.Size([2, 64, 1, 16, 16])
    """

    def __init__(
        self,
        image_size: int | Sequence[int],
        *,
        grid: int | Sequence[int] | None = None,
        patch_size: int | Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        size = _pair(image_size, "image_size")
        if grid is not None and patch_size is None:
            name, parts = "grid", _pair(grid, "grid")
        elif patch_size is not None and grid is None:
            name, parts = "patch_size", _pair(patch_size, "patch_size")
        else:
            raise ValueError(f"exactly one of grid and patch_size must be given, got {grid} and {patch_size}.")
        if size[0] % parts[0] or size[1] % parts[1]:
            raise ValueError(f"{name} must divide image_size, but {parts} does not divide {size}; change one of them.")
        others = (size[0] // parts[0], size[1] // parts[1])
        self.rows, self.cols = parts if name == "grid" else others
        self.patch_size = others if name == "grid" else parts
        self.image_size = size
        self.locations = self.rows * self.cols

    @torch.jit.export
    def split(self, image: torch.Tensor) -> torch.Tensor:
        """Image or map ``(B, C, H, W)``, of any size that the grid divides, to ``(B, P, C, H / rows, W / cols)``."""
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            self._check_image(image)
        b, c, h, w = image.shape[0], image.shape[1], image.shape[2] // self.rows, image.shape[3] // self.cols
        patches = image.reshape(b, c, self.rows, h, self.cols, w).permute(0, 2, 4, 1, 3, 5)
        return patches.reshape(b, self.locations, c, h, w)

    @torch.jit.export
    def merge(self, patches: torch.Tensor) -> torch.Tensor:
        """Patches ``(B, P, C, h, w)`` of any size to the image or map ``(B, C, rows * h, cols * w)``."""
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            self._check_patches(patches)
        b, c, h, w = patches.shape[0], patches.shape[2], patches.shape[3], patches.shape[4]
        image = patches.reshape(b, self.rows, self.cols, c, h, w).permute(0, 3, 1, 4, 2, 5)
        return image.reshape(b, c, self.rows * h, self.cols * w)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the same as :meth:`split`."""
        return self.split(image)

    def _check_image(self, image: torch.Tensor) -> None:
        if image.dim() != 4 or image.shape[2] % self.rows != 0 or image.shape[3] % self.cols != 0:
            shape = list(image.shape)
            raise ValueError(
                f"image must be (B, C, H, W) with H a multiple of {self.rows} and W of {self.cols}, got {shape}."
            )

    def _check_patches(self, patches: torch.Tensor) -> None:
        if patches.dim() != 5 or patches.shape[1] != self.locations:
            shape = list(patches.shape)
            raise ValueError(f"patches must be (B, {self.locations}, C, h, w), got {shape}.")


def _pair(value: int | Sequence[int], name: str) -> tuple[int, int]:
    """Two positive whole numbers."""
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or min(pair) < 1:
        raise ValueError(f"{name} must be one positive number or two, got {value}.")
    return pair[0], pair[1]
