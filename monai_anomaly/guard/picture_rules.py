# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a picture must not be, whatever it shows: squashed, enlarged, colored, blank or flat as no normal was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from monai_anomaly.guard.picture_features import flat_shares
from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["PictureRules"]

ASPECT_MARGIN = 1.75
ENLARGED_MARGIN = 1.5
COLOR_MARGIN = 0.05
LOWEST_COLOR = 0.25
MIN_COLORED = 20
CONTRAST_MARGIN = 0.25
FLAT_MARGIN = 0.25
BATCH = 256


@dataclass(frozen=True)
class PictureRules:
    """Limits with wide margins, so that a few normals of one size do not make every other size a foreign one.

    - Size: only what resizing does not hide counts. The ratio of rows to columns may leave the normals' range by a
      factor of 1.75 (4:3 beside 1:1 is accepted, 16:9 is not). The picture may be enlarged to the network's size 1.5
      times as much as the most enlarged normal; a picture with more pixels than the network takes is never too large.
    - Color: the share of colored pixels may exceed the normals' highest by .05, or by half of its distance from their
      median where that is more. It must reach a quarter of their lowest, where 20 normals or more have color.
    - Contrast: the standard deviation of the image as the network gets it must reach a quarter of the normals' 1 %
      quantile.
    - Flat: the share of pixels of the image's own darkest value may exceed the normals' largest by a quarter of what is
      left to 1; the same for the brightest.

    None stands for a limit that is not known.

    Args:
        aspect: lowest and highest rows / columns.
        enlarged: smallest (rows / network's rows, columns / network's columns), at most 1.
        colored: lowest and highest share.
        contrast: lowest standard deviation.
        dark: highest share of pixels.
        bright: highest share of pixels.
    """

    aspect: tuple[float, float] | None
    enlarged: float | None
    colored: tuple[float, float] | None
    contrast: float
    dark: float
    bright: float

    @classmethod
    def fit(cls, images: ImageSequence, facts: Sequence[Mapping[str, Any]]) -> PictureRules:
        """Take the limits from normals.

        Args:
            images: ``(N, C, H, W)``.
            facts: :func:`~monai_anomaly.data.picture_facts.picture_facts` of each.

        Raises:
            ValueError: for images that are not finite.
        """
        sizes = [size for size in map(_size, facts) if size is not None]
        aspects = np.array([rows / columns for rows, columns in sizes])
        colored = np.array([float(fact["colored"]) for fact in facts if _size(fact) is not None and "colored" in fact])
        # In one pass, as the images may have to be decoded, and into memory that is there: small tensors that live on
        # between large ones kept the system from getting those back, 32 KB for each image of 256 x 256 pixels.
        kept = torch.empty(3, len(images))
        for number, part in enumerate(images.split(BATCH)):
            kept[:, number * BATCH : number * BATCH + len(part)] = _gray_numbers(part.detach().float().cpu())
        numbers = kept.numpy()
        contrasts = numbers[0]
        contrast = CONTRAST_MARGIN * float(np.quantile(contrasts, 0.01))
        flat = numbers[1:, contrasts >= contrast]
        dark, bright = (float(share + FLAT_MARGIN * (1 - share)) for share in flat.max(axis=1))
        return cls(
            (float(aspects.min() / ASPECT_MARGIN), float(aspects.max() * ASPECT_MARGIN)) if sizes else None,
            min(_enlarged(size, images) for size in sizes) / ENLARGED_MARGIN if sizes else None,
            _color_limits(colored) if len(colored) else None,
            contrast,
            dark,
            bright,
        )

    def check(self, images: Tensor, facts: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return of each picture the first rule that it breaks as half a sentence, or an empty text.

        Args:
            images: float32 ``(B, C, H, W)``, finite.
            facts: of each picture; rules whose facts are not there are left out.
        """
        numbers = torch.stack([_contrast(images), *flat_shares(images)], 1).tolist()
        return [
            self._check_size(images, fact) or self._check_color(fact) or self._check_gray(*gray)
            for gray, fact in zip(numbers, facts, strict=True)
        ]

    def _check_size(self, images: Tensor, facts: Mapping[str, Any]) -> str:
        size = _size(facts)
        if size is None or self.aspect is None or self.enlarged is None:
            return ""
        seen = f"it is {size[0]:.0f} x {size[1]:.0f} pixels"
        if not self.aspect[0] <= size[0] / size[1] <= self.aspect[1]:
            return f"{seen}, rows to columns {size[0] / size[1]:.2f}, limits {_range(self.aspect)}"
        if _enlarged(size, images) < self.enlarged:
            needed = [self.enlarged * side for side in images.shape[-2:]]
            return f"{seen}, at least {needed[0]:.0f} x {needed[1]:.0f} are needed"
        return ""

    def _check_color(self, facts: Mapping[str, Any]) -> str:
        if self.colored is None or _size(facts) is None or "colored" not in facts:
            return ""
        colored = float(facts["colored"])
        if self.colored[0] <= colored <= self.colored[1]:
            return ""
        return f"{100 * colored:.1f} % of its pixels are colored, limits {_range(self.colored, percent=True)}"

    def _check_gray(self, contrast: float, dark: float, bright: float) -> str:
        if contrast < self.contrast:
            return (
                f"it is blank or nearly so (standard deviation {contrast:.3f}, at least {self.contrast:.3f} is needed)"
            )
        for name, share, limit in (("dark", dark, self.dark), ("bright", bright, self.bright)):
            if share > limit:
                return f"{100 * share:.0f} % of its pixels have its {name}est value, limit {100 * limit:.0f} %"
        return ""

    def state(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def _size(facts: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return rows and columns, None where they are not known."""
    rows, columns = float(facts.get("rows", 0)), float(facts.get("columns", 0))
    return (rows, columns) if rows > 0 and columns > 0 else None


def _enlarged(size: tuple[float, float], images: ImageSequence) -> float:
    """Return the part of the network's rows or columns that the picture has, at most 1."""
    return min(1.0, size[0] / images.shape[-2], size[1] / images.shape[-1])


def _color_limits(colored: npt.NDArray[np.float64]) -> tuple[float, float]:
    middle, high = float(np.median(colored)), float(colored.max())
    low = LOWEST_COLOR * float(colored.min()) if len(colored) >= MIN_COLORED else 0.0
    return low, high + max(COLOR_MARGIN, (high - middle) / 2)


def _gray_numbers(images: Tensor) -> Tensor:
    """Return contrast, darkest and brightest share of images ``(B, C, H, W)``, ``(3, B)``."""
    if not images.isfinite().all():
        raise ValueError("images must be finite.")
    return torch.stack([_contrast(images), *flat_shares(images)])


def _contrast(images: Tensor) -> Tensor:
    """Return the standard deviation of each image, ``(B,)``."""
    return images.flatten(1).std(1, correction=0)


def _range(limits: tuple[float, float], *, percent: bool = False) -> str:
    low, high = limits
    return f"{100 * low:.1f} to {100 * min(high, 1):.0f} %" if percent else f"{low:.2f} to {high:.2f}"
