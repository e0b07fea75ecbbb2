# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Poisson blending: the texture of another image's patch, without a seam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_anomaly.transforms.batch_numbers import between, integers
from monai_anomaly.transforms.patch_draw import (
    PatchDraw,
    RandPatch,
    RandPatchd,
    check_probability,
    check_range,
    draw_donors,
    pick,
    sides,
)
from monai_anomaly.transforms.poisson_solver import solve_poisson

__all__ = [
    "DrawPoissonPatches",
    "PoissonBlend",
    "PoissonDraw",
    "RandPoissonBlend",
    "RandPoissonBlendD",
    "RandPoissonBlendDict",
    "RandPoissonBlendd",
]

_MAX_ZOOM = 4.0


@dataclass(frozen=True)
class PoissonDraw(PatchDraw):
    """A rectangle per image, with at least one pixel of the image on every side.

    Attributes:
        donor: (B,) image that the patch comes from, never the same one.
        source_top: (B,) row of the donor that is shown in the rectangle's first row.
        source_left: (B,) column of the donor in the rectangle's first column.
        zoom: (B,) size of the patch here over its size in the donor.
    """

    donor: Tensor
    source_top: Tensor
    source_left: Tensor
    zoom: Tensor


class DrawPoissonPatches:
    """Draws rectangles anywhere in the image, and as much of a donor from anywhere.

    Args:
        p: probability that an image gets a patch.
        size: smallest and largest height and width, as shares of the image's; the two are drawn independently.
        zoom: smallest and largest change of the patch's scale. The patch lies inside the donor: a rectangle too large
            for that at its zoom becomes smaller.

    Raises:
        ValueError: on a number outside its range.
    """

    def __init__(
        self, p: float = 1.0, *, size: Sequence[float] = (0.1, 0.4), zoom: Sequence[float] = (0.7, 1.3)
    ) -> None:
        self.p = check_probability(p)
        self.size = check_range("size", size, 0.0, 1.0)
        self.zoom = check_range("zoom", zoom, 1.0 / _MAX_ZOOM, _MAX_ZOOM)

    def __call__(self, shape: Sequence[int], generator: torch.Generator | None = None) -> PoissonDraw:
        """Draw for a batch of the shape ``(B, C, H, W)``.

        Raises:
            ValueError: for another shape, sides below 8 pixels, or a single image, which has no donor.
        """
        batch, height, width = sides(shape)
        donor = draw_donors(batch, generator)
        zoom = between(*self.zoom, (batch,), generator)
        top, rows, source_top = self._span(height, zoom, generator)
        left, columns, source_left = self._span(width, zoom, generator)
        return PoissonDraw(
            present=torch.rand(batch, generator=generator) < self.p,
            top=top,
            left=left,
            height=rows,
            width=columns,
            donor=donor,
            source_top=source_top,
            source_left=source_left,
            zoom=zoom,
        )

    def _span(self, length: int, zoom: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        """Start and length of each rectangle along one axis, and its start in the donor."""
        batch = zoom.shape[0]
        first = (1.0 / zoom).ceil().long()  # the row before the rectangle's first one is read, too
        most = ((length - 1 - first) * zoom).floor().long().clamp(1, length - 2)
        count = (between(*self.size, (batch,), generator) * length).round().long()
        count = torch.minimum(count.clamp(min=1), most)
        last = (length - 1 - count / zoom).floor().long()  # and the row after its last one
        start = integers(1, length - count, batch, generator)
        return start, count, integers(first, (last + 1).clamp(min=first + 1), batch, generator)


class PoissonBlend:
    """Blends drawn patches in: inside, the gradients of the donor; at the rectangle's edge, the values of the image.

    The donor's brightness does not matter, only its structure. Values may leave the image's range; nothing is clipped.
    Nothing outside of the rectangle changes, not by a bit.

    Args:
        mixed: take the image's own gradient wherever it is the steeper one, per edge between two pixels, so that its
            structure shines through.
    """

    def __init__(self, *, mixed: bool = False) -> None:
        self.mixed = mixed

    def apply(self, image: Tensor, draw: PoissonDraw) -> tuple[Tensor, Tensor]:
        """Put drawn patches into a batch.

        Args:
            image: floating point ``(B, C, H, W)``, any intensity scale, on any device; it is not changed.
            draw: what :class:`DrawPoissonPatches` gave for its shape.

        Returns:
            The batch with patches, like ``image``, and the rectangles ``(B, 1, H, W)``, 1 inside, else 0.

        Raises:
            ValueError: when ``image`` is not what the draw is for, or a rectangle touches the border.
        """
        draw.check(image, margin=1)
        rows, columns = int(draw.height.max()), int(draw.width.max())
        d = draw.to(image.device)
        image32 = image.float()
        host, foreign = _windows(image32, d, rows, columns)
        # What is solved for is the change of the image, which is zero around the rectangle.
        change = solve_poisson(self._source(host, foreign), draw.height, draw.width)
        change = pick(change, *_grid(d, image.shape[2:], rows, columns))
        inside = d.inside(image.shape[2:])
        return torch.where(inside, (image32 + change).to(image.dtype), image), inside.to(image.dtype)

    def _source(self, host: Tensor, foreign: Tensor) -> Tensor:
        """Right-hand side for the change of the image, ``(B, C, n, m)``, from windows ``(B, C, n + 2, m + 2)``."""
        down = self._steps(host.diff(dim=2), foreign.diff(dim=2)).diff(dim=2)
        right = self._steps(host.diff(dim=3), foreign.diff(dim=3)).diff(dim=3)
        return -(down[:, :, :, 1:-1] + right[:, :, 1:-1, :])

    def _steps(self, host: Tensor, foreign: Tensor) -> Tensor:
        """By how much the steps from pixel to pixel shall change."""
        change = foreign - host
        return torch.where(foreign.abs() > host.abs(), change, 0.0) if self.mixed else change


class RandPoissonBlend(RandPatch[PoissonDraw]):
    """Poisson blending for a whole batch: arguments of :class:`DrawPoissonPatches` and :class:`PoissonBlend`.

    Patches are scaled, and shifted from anywhere to anywhere, in the manner of NSA; its sizes, tuned for each data set,
    are not taken over. scikit-image, MONAI and torchvision have no such blending; OpenCV's ``seamlessClone`` takes one
    image of 8-bit colors at a time.

    Source: Schlüter et al., "Natural Synthetic Anomalies for Self-Supervised Anomaly Detection and Localization", ECCV
    2022, arXiv:2109.15222; Pérez et al., "Poisson image editing", SIGGRAPH 2003.
    """

    def __init__(
        self,
        p: float = 1.0,
        *,
        size: Sequence[float] = (0.1, 0.4),
        zoom: Sequence[float] = (0.7, 1.3),
        mixed: bool = False,
    ) -> None:
        super().__init__(DrawPoissonPatches(p, size=size, zoom=zoom), PoissonBlend(mixed=mixed))


class RandPoissonBlendd(RandPatchd[PoissonDraw]):
    """Dictionary form of :class:`RandPoissonBlend`; arguments of both as in :class:`.RandPatchd`."""

    array_form = RandPoissonBlend


RandPoissonBlendD = RandPoissonBlendDict = RandPoissonBlendd


def _windows(image: Tensor, d: PoissonDraw, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Cut rectangles out of images and donors, one pixel more on each side; both ``(B, C, rows + 2, columns + 2)``.

    Beyond a rectangle smaller than the largest of the batch there is anything, as long as it is finite.
    """
    y = torch.arange(-1, rows + 1, device=image.device)[None, :]
    x = torch.arange(-1, columns + 1, device=image.device)[None, :]
    host_y = (d.top[:, None] + y).clamp(max=image.shape[2] - 1)[:, :, None]
    host_x = (d.left[:, None] + x).clamp(max=image.shape[3] - 1)[:, None, :]
    source_y = d.source_top[:, None] + y / d.zoom[:, None]
    source_x = d.source_left[:, None] + x / d.zoom[:, None]
    return pick(image, host_y, host_x), _bilinear(image[d.donor], source_y, source_x)


def _bilinear(image: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Values at rows ``(B, h)`` and columns ``(B, w)`` between the pixels; exact at whole numbers."""
    y, x = y.clamp(0, image.shape[2] - 1)[:, :, None], x.clamp(0, image.shape[3] - 1)[:, None, :]
    above, before = y.long(), x.long()
    below, after = (above + 1).clamp(max=image.shape[2] - 1), (before + 1).clamp(max=image.shape[3] - 1)
    upper = torch.lerp(pick(image, above, before), pick(image, above, after), (x - before)[:, None])
    lower = torch.lerp(pick(image, below, before), pick(image, below, after), (x - before)[:, None])
    return torch.lerp(upper, lower, (y - above)[:, None])


def _grid(d: PoissonDraw, size: Sequence[int], rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Row and column in the rectangle of every pixel of the image; those outside get the nearest one."""
    y = torch.arange(size[0], device=d.top.device)[None, :] - d.top[:, None]
    x = torch.arange(size[1], device=d.left.device)[None, :] - d.left[:, None]
    return y.clamp(0, rows - 1)[:, :, None], x.clamp(0, columns - 1)[:, None, :]
