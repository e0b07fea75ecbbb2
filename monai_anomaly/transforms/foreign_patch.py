# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Foreign patch interpolation: a square of each image is mixed with the same square of another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_anomaly.transforms.batch_numbers import between, column
from monai_anomaly.transforms.patch_draw import (
    PatchDraw,
    RandPatch,
    RandPatchd,
    check_probability,
    check_range,
    draw_donors,
    sides,
)

__all__ = [
    "DrawForeignPatches",
    "ForeignPatch",
    "ForeignPatchDraw",
    "RandForeignPatch",
    "RandForeignPatchD",
    "RandForeignPatchDict",
    "RandForeignPatchd",
]

_ROUNDING = 1e-6


@dataclass(frozen=True)
class ForeignPatchDraw(PatchDraw):
    """A square per image, clipped to the image.

    Attributes:
        donor: (B,) image that the patch comes from, never the same one.
        alpha: (B,) share of the donor, in [0, 1].
    """

    donor: Tensor
    alpha: Tensor


class DrawForeignPatches:
    """Draws squares, donors and mixing weights; the defaults are those published with SAGAN.

    Args:
        p: probability that an image gets a patch.
        core: share of height and width, in the middle, in which centers lie.
        half_width: smallest and largest half side of the square, as shares of the shorter image side; they are rounded,
            and the largest itself is not drawn: 3 to 12 pixels for images of 64.
        alpha: smallest and largest share of the donor.

    Raises:
        ValueError: on a number outside its range.
    """

    def __init__(
        self,
        p: float = 1.0,
        *,
        core: float = 0.6,
        half_width: Sequence[float] = (0.05, 0.2),
        alpha: Sequence[float] = (0.0, 1.0),
    ) -> None:
        self.p = check_probability(p)
        if not 0.0 < core <= 1.0:
            raise ValueError(f"core must lie in (0, 1], got {core}.")
        self.core = core
        self.half_width = check_range("half_width", half_width, 0.0, 1.0)
        self.alpha = check_range("alpha", alpha, 0.0, 1.0)

    def __call__(self, shape: Sequence[int], generator: torch.Generator | None = None) -> ForeignPatchDraw:
        """Draw for a batch of the shape ``(B, C, H, W)``.

        Raises:
            ValueError: for another shape, sides below 8 pixels, or a single image, which has no donor.
        """
        batch, height, width = sides(shape)
        donor = draw_donors(batch, generator)
        low, high = (round(share * min(height, width)) for share in self.half_width)
        half = torch.randint(max(low, 1), max(high, low + 1, 2), (batch,), generator=generator)
        top, rows = self._span(height, half, generator)
        left, columns = self._span(width, half, generator)
        return ForeignPatchDraw(
            present=torch.rand(batch, generator=generator) < self.p,
            top=top,
            left=left,
            height=rows,
            width=columns,
            donor=donor,
            alpha=between(*self.alpha, (batch,), generator),
        )

    def _span(self, length: int, half: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Start and length of each square along one axis of the image."""
        margin = (1.0 - self.core) / 2.0 * length
        first, last = int(margin + _ROUNDING), int(length - margin + _ROUNDING)
        center = torch.randint(first, max(last, first + 1), half.shape, generator=generator)
        start, stop = (center - half).clamp(min=0), (center + half).clamp(max=length)
        return start, stop - start


class ForeignPatch:
    """Mixes a drawn square with that of the donor: ``(1 - alpha) image + alpha donor`` inside, the image outside.

    Nothing outside of the square changes, not by a bit; with alpha 0 nothing changes at all.
    """

    def apply(self, image: Tensor, draw: ForeignPatchDraw) -> tuple[Tensor, Tensor]:
        """Put drawn patches into a batch.

        Args:
            image: floating point ``(B, C, H, W)``, any intensity scale, on any device; it is not changed.
            draw: what :class:`DrawForeignPatches` gave for its shape.

        Returns:
            The batch with patches, like ``image``, and the squares ``(B, 1, H, W)``, 1 inside for any alpha, else 0.

        Raises:
            ValueError: when ``image`` is not what the draw is for.
        """
        draw.check(image)
        d = draw.to(image.device)
        inside = d.inside(image.shape[2:])
        mixed = torch.lerp(image, image[d.donor], column(d.alpha).to(image.dtype))
        return torch.where(inside, mixed, image), inside.to(image.dtype)


class RandForeignPatch(RandPatch[ForeignPatchDraw]):
    """Foreign patch interpolation for a whole batch: arguments of :class:`DrawForeignPatches`.

    MONAI has no such transform: its ``CutMix`` pastes at full strength, at one corner for the whole batch, image by
    image, and returns no mask.

    Source: Tan et al., "Detecting outliers with foreign patch interpolation", MELBA 2022, arXiv:2011.04197; constants:
    Zhang et al., "Spatial-aware Attention Generative Adversarial Network for Semi-supervised Anomaly Detection in
    Medical Image", MICCAI 2024, arXiv:2405.12872.
    """

    def __init__(
        self,
        p: float = 1.0,
        *,
        core: float = 0.6,
        half_width: Sequence[float] = (0.05, 0.2),
        alpha: Sequence[float] = (0.0, 1.0),
    ) -> None:
        super().__init__(DrawForeignPatches(p, core=core, half_width=half_width, alpha=alpha), ForeignPatch())


class RandForeignPatchd(RandPatchd[ForeignPatchDraw]):
    """Dictionary form of :class:`RandForeignPatch`; arguments of both as in :class:`.RandPatchd`."""

    array_form = RandForeignPatch


RandForeignPatchD = RandForeignPatchDict = RandForeignPatchd
