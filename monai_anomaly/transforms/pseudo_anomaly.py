# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Synthetic local anomalies for a batch of normal images, with soft masks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from monai_anomaly.transforms.batch_numbers import between, column, signs

__all__ = ["ANOMALY_KINDS", "AnomalyDraw", "PseudoAnomaly"]

ANOMALY_KINDS = ("foreign", "blur", "gain", "offset", "noise")
"""What can happen inside a blob; see :class:`PseudoAnomaly`."""

_OUTLINE_KNOTS = 6
_MIN_WEIGHT = 1e-3


@dataclass(frozen=True)
class AnomalyDraw:
    """Everything random about one blob per image; first dimension B, on the CPU.

    Attributes:
        present: (B,) bool, whether the image has this blob.
        kind: (B,) index into the kinds.
        center: (B, 2) x and y in [-1, 1], the image's edges.
        radii: (B, 2) half axes, in halves of the image side.
        angle: (B,) radians.
        outline: (B, 1, 6, 6) bumps of the outline.
        edge: (B,) width of the soft edge, relative to the radius.
        opacity: (B,) in [0.6, 1].
        strength: (B,) in [0, 1], from weak to strong.
        sign: (B,) -1 or 1, darker or brighter, flatter or steeper.
        donor: (B,) image that a foreign patch comes from, never the same one unless the batch has one image.
        shift: (B, 2) how far the donor is rolled, as a fraction of rows and columns.
        mirror: (B,) bool, whether the donor is mirrored.
        noise: (B, 1, H, W) standard normal field.
    """

    present: Tensor
    kind: Tensor
    center: Tensor
    radii: Tensor
    angle: Tensor
    outline: Tensor
    edge: Tensor
    opacity: Tensor
    strength: Tensor
    sign: Tensor
    donor: Tensor
    shift: Tensor
    mirror: Tensor
    noise: Tensor


class PseudoAnomaly:
    """Puts soft blobs of wrong appearance into normal images; a network that finds them learns what normal looks like.

    A blob is a rotated ellipse with a bumpy outline and a soft edge. Inside, one of:

    - ``foreign``: a piece of another image of the batch, rolled and perhaps mirrored;
    - ``blur``: the local texture is lost;
    - ``gain``: local contrast goes up or down;
    - ``offset``: brighter or darker by 0.5 to 1.5 standard deviations of the image, times ``strength``;
    - ``noise``: coarse noise is added.

    Sizes are relative to the image and intensities to its standard deviation, so any normalization of the input and any
    resolution will do. Weak and fuzzy anomalies teach little: with half the strength and twice the edge width, a
    U-Net trained on them tells lesions in breast ultrasound apart far less well.

    It works on whole batches, with the random numbers drawn first and on the CPU: the same seed gives the same
    anomalies on any device, and a batch costs one pass, not one per image. MONAI has no transform of this kind.

    Args:
        kinds: which of the above, drawn evenly.
        num_blobs: at most so many per image; the first is there unless the image stays clean, each other one with
            probability 0.4.
        clean_probability: share of images that stay as they are, with an empty mask.
        radius: smallest and largest first half axis, in halves of the image side.
        edge: mean width of the soft edge, relative to the radius.
        strength: factor on how far ``gain``, ``offset`` and ``noise`` go.

    Raises:
        ValueError: on an unknown kind, or a number outside its range.

    Source: Schlüter et al., "Natural Synthetic Anomalies", arXiv:2109.15222, for the soft foreign patches.
    """

    def __init__(
        self,
        kinds: Sequence[str] = ANOMALY_KINDS,
        num_blobs: int = 3,
        *,
        clean_probability: float = 0.15,
        radius: Sequence[float] = (0.12, 0.5),
        edge: float = 0.08,
        strength: float = 1.6,
    ) -> None:
        unknown = sorted(set(kinds) - set(ANOMALY_KINDS))
        if unknown or not kinds:
            raise ValueError(f"kinds must be names out of {ANOMALY_KINDS}, got {unknown or list(kinds)}.")
        if num_blobs < 1:
            raise ValueError(f"num_blobs must be at least 1, got {num_blobs}.")
        if not 0.0 <= clean_probability <= 1.0:
            raise ValueError(f"clean_probability must lie in [0, 1], got {clean_probability}.")
        if len(radius) != 2 or not 0.0 < radius[0] <= radius[1] <= 2.0:
            raise ValueError(f"radius must be two numbers, 0 < smallest <= largest <= 2, got {tuple(radius)}.")
        if edge <= 0.0 or strength <= 0.0:
            raise ValueError(f"edge and strength must be positive, got {edge} and {strength}.")
        self.kinds = tuple(kinds)
        self.num_blobs = num_blobs
        self.clean_probability = clean_probability
        self.radius = (float(radius[0]), float(radius[1]))
        self.edge = edge
        self.strength = strength

    def __call__(self, image: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Corrupt a batch.

        Args:
            image: floating point ``(B, C, H, W)``, any intensity scale, on any device; it is not changed.
            generator: source of the random numbers, on the CPU; None takes torch's global one.

        Returns:
            The corrupted batch, like ``image``, and its soft mask ``(B, 1, H, W)`` in [0, 1].

        Raises:
            ValueError: when ``image`` is not a floating point batch with sides of at least 8 pixels.
        """
        if image.ndim != 4 or not image.is_floating_point() or min(image.shape[2:]) < 8:
            raise ValueError(
                "image must be a floating point batch (B, C, H, W) with sides of at least 8 pixels, "
                f"got {image.dtype} {tuple(image.shape)}."
            )
        return self.apply(image, self.draw(image.shape, generator))

    def draw(self, shape: Sequence[int], generator: torch.Generator | None = None) -> list[AnomalyDraw]:
        """Draw the blobs of a batch.

        Args:
            shape: ``(B, C, H, W)``.
            generator: as in the call.

        Returns:
            One draw per blob, in the order in which they are put on.
        """
        draws: list[AnomalyDraw] = []
        for i in range(self.num_blobs):
            p = 1.0 - self.clean_probability if i == 0 else 0.4
            blob = self._draw_blobs(shape, p, generator)
            if draws:  # a clean image stays clean
                blob.present.logical_and_(draws[0].present)
            draws.append(blob)
        return draws

    def _draw_blobs(self, shape: Sequence[int], probability: float, g: torch.Generator | None) -> AnomalyDraw:
        """Draw one blob for each image, there with a probability."""
        b, _, height, width = shape
        axis = between(self.radius[0], self.radius[1], (b, 1), g)
        ratio = between(-0.7, 0.7, (b, 1), g).exp()
        return AnomalyDraw(
            present=torch.rand(b, generator=g) < probability,
            kind=torch.randint(len(self.kinds), (b,), generator=g),
            center=between(-0.85, 0.85, (b, 2), g),
            radii=torch.cat([axis, axis * ratio], dim=1),
            angle=between(0.0, math.pi, (b,), g),
            outline=torch.randn(b, 1, _OUTLINE_KNOTS, _OUTLINE_KNOTS, generator=g),
            edge=self.edge * between(0.3, 1.7, (b,), g),
            opacity=between(0.6, 1.0, (b,), g),
            strength=torch.rand(b, generator=g),
            sign=signs(b, 0.5, g),
            donor=(torch.arange(b) + torch.randint(1, max(b, 2), (b,), generator=g)) % b,
            shift=between(-0.25, 0.25, (b, 2), g),
            mirror=torch.rand(b, generator=g) < 0.5,
            noise=torch.randn(b, 1, height, width, generator=g),
        )

    def apply(self, image: Tensor, draws: Sequence[AnomalyDraw]) -> tuple[Tensor, Tensor]:
        """Put drawn blobs into a batch; arguments and results as in the call."""
        scale = image.std(dim=(1, 2, 3), keepdim=True)
        corrupted = image
        mask = image.new_zeros(image.shape[0], 1, *image.shape[2:])
        for draw in draws:
            d = AnomalyDraw(**{name: value.to(image.device) for name, value in vars(draw).items()})
            blob = blob_mask(d, image.shape[2:]).to(image.dtype) * column(d.present.to(image.dtype))
            inside = self._inside(image, corrupted, blob, scale, d)
            corrupted = torch.lerp(corrupted, inside.to(image.dtype), blob * column(d.opacity).to(image.dtype))
            mask = torch.maximum(mask, blob)
        return corrupted, mask

    def _inside(self, image: Tensor, current: Tensor, blob: Tensor, scale: Tensor, d: AnomalyDraw) -> Tensor:
        """Return what each image shows inside its blob, drawn over the whole image; ``(B, C, H, W)``."""
        result = current
        for index, kind in enumerate(self.kinds):
            candidate = self._candidate(kind, image, current, blob, scale, d)
            result = torch.where(column(d.kind == index), candidate, result)
        return result

    def _candidate(
        self, kind: str, image: Tensor, current: Tensor, blob: Tensor, scale: Tensor, d: AnomalyDraw
    ) -> Tensor:
        strength, sign = column(d.strength), column(d.sign)
        if kind == "foreign":
            return _foreign(image, d)
        if kind == "blur":
            size = max(3, round(min(image.shape[2:]) / 26) * 2 + 1)
            return _box_blur(_box_blur(current, size), size)
        if kind == "gain":
            weight = blob.sum(dim=(2, 3), keepdim=True).clamp(min=_MIN_WEIGHT)
            level = (current * blob).sum(dim=(2, 3), keepdim=True) / weight
            return level + (current - level) * torch.exp(sign * (0.3 + 0.7 * strength) * self.strength)
        if kind == "offset":
            return current + sign * (0.5 + strength) * self.strength * scale
        grain = _box_blur(d.noise.to(image.dtype), 3)
        return current + 1.2 * (0.5 + strength) * self.strength * scale * grain


def blob_mask(d: AnomalyDraw, size: Sequence[int]) -> Tensor:
    """Soft masks ``(B, 1, H, W)`` in [0, 1] of the drawn ellipses; about 1 inside, one half on the outline."""
    device = d.center.device
    y = torch.linspace(-1.0, 1.0, size[0], device=device)[:, None] - d.center[:, 1, None, None]
    x = torch.linspace(-1.0, 1.0, size[1], device=device)[None, :] - d.center[:, 0, None, None]
    cos, sin = torch.cos(d.angle)[:, None, None], torch.sin(d.angle)[:, None, None]
    along = (x * cos + y * sin) / d.radii[:, 0, None, None]
    across = (y * cos - x * sin) / d.radii[:, 1, None, None]
    bumps = F.interpolate(d.outline, size=list(size), mode="bicubic", align_corners=False)[:, 0]
    distance = (along.square() + across.square()).sqrt() + 0.35 * bumps
    return torch.sigmoid((1.0 - distance) / d.edge[:, None, None])[:, None]


def _foreign(image: Tensor, d: AnomalyDraw) -> Tensor:
    """Each image's donor, rolled and perhaps mirrored."""
    _, channels, height, width = image.shape
    device = image.device
    rows = (torch.arange(height, device=device) + (d.shift[:, :1] * height).long()) % height
    columns = (torch.arange(width, device=device) + (d.shift[:, 1:] * width).long()) % width
    columns = torch.where(d.mirror[:, None], columns.flip(1), columns)
    channel = torch.arange(channels, device=device)[None, :, None, None]
    return image[column(d.donor), channel, rows[:, None, :, None], columns[:, None, None, :]]


def _box_blur(image: Tensor, size: int) -> Tensor:
    half = size // 2
    return F.avg_pool2d(F.pad(image, (half, half, half, half), mode="reflect"), size, stride=1)
