# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""CutPaste: a rectangle of each image is pasted somewhere else in the same image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_anomaly.transforms.batch_numbers import between, column, integers
from monai_anomaly.transforms.patch_draw import (
    PatchDraw,
    RandPatch,
    RandPatchd,
    check_probability,
    check_range,
    pick,
    sides,
)

__all__ = [
    "CutPaste",
    "CutPasteDraw",
    "DrawCutPaste",
    "RandCutPaste",
    "RandCutPasteD",
    "RandCutPasteDict",
    "RandCutPasted",
]

_MAX_ASPECT = 100.0


@dataclass(frozen=True)
class CutPasteDraw(PatchDraw):
    """A rectangle per image where the patch is pasted, before it is turned.

    Attributes:
        source_top: (B,) first row of the rectangle that is cut out.
        source_left: (B,) first column.
        angle: (B,) radians by which the patch is turned about its center.
        gain: (B,) factor on the patch's contrast.
        offset: (B,) what is added to the patch, in standard deviations of the image.
    """

    source_top: Tensor
    source_left: Tensor
    angle: Tensor
    gain: Tensor
    offset: Tensor


class DrawCutPaste:
    """Draws what to cut and where to paste it; always elsewhere, but the two rectangles may overlap.

    Args:
        p: probability that an image gets a patch.
        area: smallest and largest share of the image's area.
        aspect: smallest and largest height over width; where 1 lies between, half of the patches are taller than wide.
        rotate: largest angle, degrees; the paper's scars are thin and turned, such as ``area=(0.004, 0.03)``,
            ``aspect=(0.1, 0.4)`` and ``rotate=45``.
        brightness: largest change of the patch's brightness, in standard deviations of the image.
        contrast: largest relative change of the patch's contrast.

    Raises:
        ValueError: on a number outside its range.
    """

    def __init__(
        self,
        p: float = 1.0,
        *,
        area: Sequence[float] = (0.02, 0.15),
        aspect: Sequence[float] = (0.3, 3.3),
        rotate: float = 0.0,
        brightness: float = 0.1,
        contrast: float = 0.1,
    ) -> None:
        self.p = check_probability(p)
        if not 0.0 <= rotate <= 180.0:
            raise ValueError(f"rotate must lie in [0, 180] degrees, got {rotate}.")
        if brightness < 0.0 or not 0.0 <= contrast < 1.0:
            raise ValueError(f"brightness must not be negative and contrast in [0, 1), got {brightness}, {contrast}.")
        self.area = check_range("area", area, 0.0, 1.0)
        self.aspect = check_range("aspect", aspect, 1.0 / _MAX_ASPECT, _MAX_ASPECT)
        self.rotate = rotate
        self.brightness = brightness
        self.contrast = contrast

    def __call__(self, shape: Sequence[int], generator: torch.Generator | None = None) -> CutPasteDraw:
        """Draw for a batch of the shape ``(B, C, H, W)``; one image will do.

        Raises:
            ValueError: for another shape, or sides below 8 pixels.
        """
        batch, height, width = sides(shape)
        area = between(*self.area, (batch,), generator) * height * width
        aspect = self._draw_aspect(batch, generator)
        rows = (area * aspect).sqrt().round().long().clamp(1, height)
        columns = (area / aspect).sqrt().round().long().clamp(1, width)
        # places are numbered row by row; the source is any place but the target
        across = width - columns + 1
        places = (height - rows + 1) * across
        target = integers(0, places, batch, generator)
        source = (target + integers(1, places, batch, generator)) % places
        return CutPasteDraw(
            present=torch.rand(batch, generator=generator) < self.p,
            top=target // across,
            left=target % across,
            height=rows,
            width=columns,
            source_top=source // across,
            source_left=source % across,
            angle=torch.deg2rad(between(-self.rotate, self.rotate, (batch,), generator)),
            gain=between(1.0 - self.contrast, 1.0 + self.contrast, (batch,), generator),
            offset=between(-self.brightness, self.brightness, (batch,), generator),
        )

    def _draw_aspect(self, batch: int, generator: torch.Generator | None) -> Tensor:
        low, high = self.aspect
        flat = between(min(low, 1.0), min(high, 1.0), (batch,), generator)
        tall = between(max(low, 1.0), max(high, 1.0), (batch,), generator)
        share = 0.5 if low < 1.0 < high else float(low >= 1.0)
        return torch.where(torch.rand(batch, generator=generator) < share, tall, flat)


class CutPaste:
    """Pastes drawn patches, at full strength, with the nearest pixel where they are turned.

    Corners of a turned patch beyond the border are lost.
    """

    def apply(self, image: Tensor, draw: CutPasteDraw) -> tuple[Tensor, Tensor]:
        """Put drawn patches into a batch.

        Args:
            image: floating point ``(B, C, H, W)``, any intensity scale, on any device; it is not changed.
            draw: what :class:`DrawCutPaste` gave for its shape.

        Returns:
            The batch with patches, like ``image``, and the mask ``(B, 1, H, W)``, 1 inside the patch, else 0.

        Raises:
            ValueError: when ``image`` is not what the draw is for.
        """
        draw.check(image)
        d = draw.to(image.device)
        inside, rows, columns = _source_pixels(d, image.shape[2:])
        pasted = _jitter(pick(image, rows, columns), inside, image, d)
        return torch.where(inside, pasted, image), inside.to(image.dtype)


class RandCutPaste(RandPatch[CutPasteDraw]):
    """CutPaste for a whole batch: arguments of :class:`DrawCutPaste`.

    Area and aspect are the paper's. Its jitter of 0.1 is relative to the range of 8-bit colors; here it is relative to
    each image's standard deviation, so that any normalization of the input will do, and hue and saturation stay.
    Neither MONAI nor torchvision has such a transform.

    Source: Li et al., "CutPaste: Self-Supervised Learning for Anomaly Detection and Localization", CVPR 2021,
    arXiv:2104.04015.
    """

    def __init__(
        self,
        p: float = 1.0,
        *,
        area: Sequence[float] = (0.02, 0.15),
        aspect: Sequence[float] = (0.3, 3.3),
        rotate: float = 0.0,
        brightness: float = 0.1,
        contrast: float = 0.1,
    ) -> None:
        draw = DrawCutPaste(p, area=area, aspect=aspect, rotate=rotate, brightness=brightness, contrast=contrast)
        super().__init__(draw, CutPaste())


class RandCutPasted(RandPatchd[CutPasteDraw]):
    """Dictionary form of :class:`RandCutPaste`; arguments of both as in :class:`.RandPatchd`."""

    array_form = RandCutPaste


RandCutPasteD = RandCutPasteDict = RandCutPasted


def _source_pixels(d: CutPasteDraw, size: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Where the turned patches are, ``(B, 1, H, W)``, and the row and column that each pixel shows, ``(B, H, W)``."""
    half_height, half_width = ((side[:, None, None] - 1) / 2 for side in (d.height, d.width))
    y = torch.arange(size[0], device=d.top.device)[None, :, None] - (d.top[:, None, None] + half_height)
    x = torch.arange(size[1], device=d.top.device)[None, None, :] - (d.left[:, None, None] + half_width)
    cos, sin = torch.cos(d.angle)[:, None, None], torch.sin(d.angle)[:, None, None]
    along, across = x * cos + y * sin, y * cos - x * sin
    inside = (across.abs() < half_height + 0.5) & (along.abs() < half_width + 0.5) & d.present[:, None, None]
    rows = (d.source_top[:, None, None] + half_height + across).round().long().clamp(0, size[0] - 1)
    columns = (d.source_left[:, None, None] + half_width + along).round().long().clamp(0, size[1] - 1)
    return inside[:, None], rows, columns


def _jitter(patch: Tensor, inside: Tensor, image: Tensor, d: CutPasteDraw) -> Tensor:
    """Change contrast, about the patch's own mean, and brightness; exactly nothing with gain 1 and offset 0."""
    count = inside.sum(dim=(1, 2, 3), keepdim=True).clamp(min=1) * patch.shape[1]
    level = (patch * inside).sum(dim=(1, 2, 3), keepdim=True, dtype=torch.float32) / count
    spread = image.float().std(dim=(1, 2, 3), keepdim=True)
    change = (patch - level) * (column(d.gain) - 1.0) + spread * column(d.offset)
    return patch + change.to(patch.dtype)
