# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What all pseudo-anomalies made of a patch share: the drawn rectangle, its checks, the array and dictionary forms."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import torch
from monai.config.type_definitions import KeysCollection
from monai.transforms.transform import MapTransform, Transform
from monai.utils.enums import TransformBackends
from torch import Tensor

from monai_anomaly.transforms.batch_numbers import column

__all__ = [
    "ApplyPatches",
    "DrawPatches",
    "PatchDraw",
    "RandPatch",
    "RandPatchd",
    "check_probability",
    "check_range",
    "draw_donors",
    "pick",
    "sides",
]

MIN_SIDE = 8

Draw = TypeVar("Draw", bound="PatchDraw")
DrawOut = TypeVar("DrawOut", bound="PatchDraw", covariant=True)
DrawIn = TypeVar("DrawIn", bound="PatchDraw", contravariant=True)


@dataclass(frozen=True)
class PatchDraw:
    """One rectangle per image; all tensors ``(B,)``, on the CPU.

    A draw is nothing but its tensors: ``vars(draw)`` can be saved, and ``type(draw)(**saved)`` is the same draw.

    Attributes:
        present: bool, whether the image gets a patch at all.
        top: first row of the rectangle.
        left: first column.
        height: number of rows, at least 1.
        width: number of columns, at least 1.
    """

    present: Tensor
    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor

    def to(self: Draw, device: torch.device | str) -> Draw:
        """Return the draw on a device."""
        return replace(self, **{name: value.to(device) for name, value in vars(self).items()})

    def inside(self, size: Sequence[int]) -> Tensor:
        """Return where the patches are, bool ``(B, 1, H, W)`` for a ``size`` of ``(H, W)``; empty if not present."""
        rows = torch.arange(size[0], device=self.top.device)[None, None, :, None] - column(self.top)
        columns = torch.arange(size[1], device=self.top.device)[None, None, None, :] - column(self.left)
        high = (rows >= 0) & (rows < column(self.height))
        wide = (columns >= 0) & (columns < column(self.width))
        return high & wide & column(self.present)

    def check(self, image: Tensor, margin: int = 0) -> None:
        """Refuse a batch that the draw was not made for.

        Args:
            image: ``(B, C, H, W)``.
            margin: number of rows and columns that must be left free at the border.

        Raises:
            ValueError: when ``image`` is no floating point batch of the draw's size, or a rectangle leaves it.
        """
        if not image.is_floating_point():
            raise ValueError(f"image must be a floating point batch (B, C, H, W), got {image.dtype}; convert it first.")
        batch, height, width = sides(image.shape)
        if batch != self.top.shape[0]:
            raise ValueError(
                f"The draw is for {self.top.shape[0]} images, the batch has {batch}; draw with the batch's shape."
            )
        low = torch.minimum(self.top, self.left).amin() < margin
        high = (self.top + self.height).amax() > height - margin or (self.left + self.width).amax() > width - margin
        if low or high:
            raise ValueError(
                f"A drawn rectangle leaves the image of {height} x {width} pixels (with a margin of {margin}); "
                "draw with the batch's shape."
            )


class DrawPatches(Protocol[DrawOut]):
    """Draws the patches of a batch of a shape ``(B, C, H, W)``; the generator is on the CPU, None is the global one."""

    def __call__(self, shape: Sequence[int], generator: torch.Generator | None = None) -> DrawOut: ...


class ApplyPatches(Protocol[DrawIn]):
    """Puts drawn patches into a batch ``(B, C, H, W)``; returns the new batch and its mask ``(B, 1, H, W)``."""

    def apply(self, image: Tensor, draw: DrawIn) -> tuple[Tensor, Tensor]: ...


class RandPatch(Transform, Generic[Draw]):
    """Draws and applies in one go: a batch in, the batch with patches and their mask out.

    The random numbers are drawn on the CPU, so that a seed means the same on every device, and the patches put in on
    the batch's device, for all images at once.

    Args:
        draw: draws the patches, such as :class:`~monai_anomaly.transforms.foreign_patch.DrawForeignPatches`.
        patch: applies them, such as :class:`~monai_anomaly.transforms.foreign_patch.ForeignPatch`.
    """

    backend = [TransformBackends.TORCH]

    def __init__(self, draw: DrawPatches[Draw], patch: ApplyPatches[Draw]) -> None:
        self.draw = draw
        self.patch = patch

    def __call__(self, image: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """
        Args:
            image: floating point ``(B, C, H, W)``, any intensity scale, on any device; it is not changed.
            generator: source of the random numbers, on the CPU; None takes torch's global one.

        Returns:
            The batch with patches, like ``image``, and its mask ``(B, 1, H, W)``, same dtype, 1 inside a patch, else 0.

        Raises:
            ValueError: when ``image`` is not a floating point batch with sides of at least 8 pixels, or has only one
                image where another one is needed.
        """
        return self.patch.apply(image, self.draw(image.shape, generator))


class RandPatchd(MapTransform, Generic[Draw]):
    """Dictionary form of :class:`RandPatch`, for a batch such as ``{"image": (B, C, H, W)}``.

    All keys get the same patches, each from its own images, and must have the same number and size of images.

    Args:
        keys: keys of the batches.
        mask_key: key under which the mask ``(B, 1, H, W)`` is put.
        allow_missing_keys: whether a missing batch is passed over.
        options: arguments of the array form.

    Attributes:
        array_form: the class of the array form, which a subclass names.
    """

    backend = RandPatch.backend
    array_form: type[RandPatch[Draw]]

    def __init__(
        self, keys: KeysCollection, mask_key: str = "mask", *, allow_missing_keys: bool = False, **options: Any
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = self.array_form(**options)
        self.mask_key = mask_key

    def __call__(self, data: Mapping[Hashable, Any], generator: torch.Generator | None = None) -> dict[Hashable, Any]:
        """Return a copy of ``data`` with the batches changed and the mask added; ``generator`` as in the array form.

        Raises:
            ValueError: as the array form; also when two batches differ in number or size of images.
        """
        d = dict(data)
        images: dict[Hashable, Tensor] = {key: d[key] for key in self.key_iterator(d)}
        shapes = {sides(image.shape) for image in images.values()}
        if len(shapes) > 1:
            raise ValueError(
                f"The batches under {list(images)} must have the same number and size of images to get the same "
                f"patches, got {[tuple(image.shape) for image in images.values()]}; use one transform for each."
            )
        if images:
            draw = self.transform.draw(next(iter(images.values())).shape, generator)
            for key, image in images.items():
                d[key], d[self.mask_key] = self.transform.patch.apply(image, draw)
        return d


def sides(shape: Sequence[int]) -> tuple[int, int, int]:
    """Return number, height and width of the images of a batch.

    Raises:
        ValueError: when the shape is not ``(B, C, H, W)`` with sides of at least 8 pixels.
    """
    if len(shape) != 4 or min(shape[0], shape[1]) < 1 or min(shape[2:]) < MIN_SIDE:
        raise ValueError(
            f"image must be a batch (B, C, H, W) with sides of at least {MIN_SIDE} pixels, got {tuple(shape)}."
        )
    return int(shape[0]), int(shape[2]), int(shape[3])


def check_probability(p: float) -> float:
    """Return the probability that an image gets a patch.

    Raises:
        ValueError: unless it lies in [0, 1].
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"p must lie in [0, 1], got {p}.")
    return p


def check_range(name: str, value: Sequence[float], low: float, high: float) -> tuple[float, float]:
    """Return two numbers as floats.

    Raises:
        ValueError: unless ``low <= smallest <= largest <= high``.
    """
    if len(value) != 2 or not low <= value[0] <= value[1] <= high:
        raise ValueError(f"{name} must be two numbers, {low:g} <= smallest <= largest <= {high:g}, got {tuple(value)}.")
    return float(value[0]), float(value[1])


def draw_donors(batch: int, generator: torch.Generator | None = None) -> Tensor:
    """Another image of the batch for each image, evenly; ``(B,)``.

    Raises:
        ValueError: for a batch of one image.
    """
    if batch < 2:
        raise ValueError(
            "A single normal has no other image to take a patch from; give at least two images in every batch "
            "(drop_last=True drops a rest of one), or use RandCutPaste, which needs no other image."
        )
    return (torch.arange(batch) + torch.randint(1, batch, (batch,), generator=generator)) % batch


def pick(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pixels of each image, at whole rows and columns of its own.

    Args:
        image: ``(B, C, H, W)``.
        rows: ``(B, h, w)``, or ``(B, h, 1)`` for a grid.
        columns: ``(B, h, w)``, or ``(B, 1, w)``.

    Returns:
        ``(B, C, h, w)``.
    """
    index = torch.arange(image.shape[0], device=image.device)[:, None, None, None]
    channel = torch.arange(image.shape[1], device=image.device)[None, :, None, None]
    return image[index, channel, rows[:, None], columns[:, None]]
