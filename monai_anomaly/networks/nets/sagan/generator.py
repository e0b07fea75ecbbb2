# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The generator of SAGAN, which restores an image to health patch by patch."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

from monai_anomaly.networks.blocks.attention_gate import AttentionGate
from monai_anomaly.networks.blocks.instance_norm import InstanceNorm
from monai_anomaly.networks.blocks.patch_grid import PatchGrid
from monai_anomaly.networks.blocks.position_condition import PositionCondition
from monai_anomaly.networks.blocks.winograd_conv import WinogradConv2d

__all__ = ["SAGANGenerator"]

OUTPUTS = ("tanh", "additive")
MASKS = ("image", "official")
NORMS = ("image", "patch")
PADDINGS = ("zeros", "reflect", "replicate")
_Padding = Literal["zeros", "reflect", "replicate"]
_STAGES = 3
_LEAST_PATCH = 16


def _conv(before: int, after: int, kernel: int, padding: _Padding, maps: int, *, relu: bool = True) -> nn.Sequential:
    """Convolution that keeps the size, instance normalization, and a ReLU or none."""
    if kernel == 3 and padding == "zeros":
        conv: nn.Conv2d = WinogradConv2d(before, after, bias=False)
    else:
        conv = nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False, padding_mode=padding)
    return nn.Sequential(conv, InstanceNorm(after, maps=maps), nn.ReLU(inplace=True) if relu else nn.Identity())


def _down(before: int, after: int, maps: int) -> nn.Sequential:
    """Half the sides."""
    conv = nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(conv, InstanceNorm(after, maps=maps), nn.ReLU(inplace=True))


def _up(before: int, after: int, maps: int) -> nn.Sequential:
    """Twice the sides."""
    conv = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)
    return nn.Sequential(conv, InstanceNorm(after, maps=maps), nn.ReLU(inplace=True))


class _Residual(nn.Module):
    """``x + branch(x)``, nothing behind it; MONAI's ``ResidualUnit`` ends with an activation and pads with zeros."""

    def __init__(self, *branch: nn.Module) -> None:
        super().__init__()
        self.branch = nn.Sequential(*branch)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


def _fuse(before: int, after: int, padding: _Padding, maps: int) -> nn.Sequential:
    """Change of the width, then one convolution as a residual branch.

    ``ResidualDoubleConv`` has two convolutions in the branch, batch normalization and a last ReLU.
    """
    return nn.Sequential(
        _conv(before, after, 3, padding, maps), _Residual(_conv(after, after, 3, padding, maps, relu=False))
    )


class _GatedStep(nn.Module):
    """The deeper features beside the gated skip, made one, at twice the size."""

    def __init__(self, channels: int, gate_norm: str, padding: _Padding, maps: int) -> None:
        super().__init__()
        self.gate = AttentionGate(channels, channels // 2, norm=gate_norm, maps=maps)
        self.fuse = _fuse(2 * channels, channels, padding, maps)
        self.up = _up(channels, channels // 2, maps)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Both ``(N, C, h, w)``, to ``(N, C / 2, 2 h, 2 w)``."""
        return self.up(self.fuse(torch.cat([x, self.gate(x, skip)], dim=1)))


class SAGANGenerator(nn.Module):
    """Restores images to health: a U-Net on each patch gives a residual, which is added to the image.

    Three stages of stride 2 and back; the features of each are told their patch's place, and those that skip the deeper
    stages pass an attention gate. The residual is read from all levels of the decoder together. Patches see nothing of
    each other but, with the norm "image", mean and deviation of each feature over all of them. An image gives the same
    in any batch, and in training mode the same as in evaluation but for the mask.

    In training mode every pixel is left as it was with probability ``1 - keep_probability``. ``mask`` says what that
    is: "image" gives the pixel x itself; "official" puts x in the place of the residual, so that "tanh" gives tanh(2x).

    Args:
        image_size: height and width S of the image, in pixels, a multiple of ``8 * grid * unshuffle``.
        in_channels: channels of the image.
        grid: rows and columns of patches, each of at least ``16 * unshuffle`` pixels.
        channels: width at full size, even; it doubles with each stage.
        residual_blocks: residual blocks at the bottleneck.
        position: how a patch is told its place, "film", "official" (to no effect) or "none": see
            :class:`.PositionCondition`.
        gate_norm: "none" or "instance", as published: see :class:`.AttentionGate`.
        norm: what the instance norms take mean and deviation of: "image", all patches of an image together; or "patch",
            each by itself, as published. Then no patch is told anything of another, not even whether it is darker.
        output: of image x and residual r, "tanh" gives tanh(x + r), as published, and "additive" x + r.
        keep_probability: probability of a pixel to be restored in training mode.
        mask: "image" or "official", as published.
        padding: of the 3x3 and 7x7 convolutions, "zeros" as published, "reflect" or "replicate".
        unshuffle: side of the squares whose pixels become channels first, 1 as published. At 2, everything works on a
            quarter of the positions.

    Raises:
        ValueError: on an argument outside its range; in ``forward`` and ``residual`` on an image of another shape.

    Source: SAGAN (Zhang et al., MICCAI 2024, https://arxiv.org/abs/2405.12872).

    Example:
        >>> SAGANGenerator(32, channels=4, residual_blocks=1)(torch.zeros(2, 1, 32, 32)).shape
        torch.Size([2, 1, 32, 32])
    """

    def __init__(
        self,
        image_size: int,
        in_channels: int = 1,
        *,
        grid: int = 2,
        channels: int = 64,
        residual_blocks: int = 6,
        position: str = "film",
        gate_norm: str = "none",
        norm: str = "image",
        output: str = "tanh",
        keep_probability: float = 0.95,
        mask: str = "image",
        padding: str = "zeros",
        unshuffle: int = 1,
    ) -> None:
        super().__init__()
        _check_sides(image_size, grid, unshuffle)
        if in_channels < 1 or residual_blocks < 0:
            raise ValueError(
                f"in_channels must be positive and residual_blocks not negative, got {in_channels}, {residual_blocks}."
            )
        if channels < 2 or channels % 2:
            raise ValueError(f"channels must be even and positive, got {channels}.")
        if not 0.0 <= keep_probability <= 1.0:
            raise ValueError(f"keep_probability must lie in [0, 1], got {keep_probability}.")
        _check_choice("norm", norm, NORMS)
        _check_choice("output", output, OUTPUTS)
        _check_choice("mask", mask, MASKS)
        _check_choice("padding", padding, PADDINGS)
        self.patches = PatchGrid(image_size, grid=grid)
        self.image_shape = [in_channels, image_size, image_size]
        self.output = output
        self.mask = mask
        self.keep_probability = float(keep_probability)

        seen = in_channels * unshuffle**2
        self.unshuffle = nn.PixelUnshuffle(unshuffle) if unshuffle > 1 else nn.Identity()
        self.shuffle = nn.PixelShuffle(unshuffle) if unshuffle > 1 else nn.Identity()
        c, locations, pad = channels, self.patches.locations, cast(_Padding, padding)
        maps = locations if norm == "image" else 1
        self.stem = _conv(seen, c, 7, pad, maps)
        self.down1, self.down2, self.down3 = (_down(c << i, c << (i + 1), maps) for i in range(_STAGES))
        self.condition1, self.condition2, self.condition3 = (
            PositionCondition(c << (i + 1), locations, kind=position, maps=maps) for i in range(_STAGES)
        )
        wide = c << _STAGES
        self.bottleneck = nn.Sequential(
            *(
                _Residual(_conv(wide, wide, 3, pad, maps), _conv(wide, wide, 3, pad, maps, relu=False))
                for _ in range(residual_blocks)
            )
        )
        self.step1, self.step2, self.step3 = (_GatedStep(wide >> i, gate_norm, pad, maps) for i in range(_STAGES))
        self.raise1 = nn.Sequential(_up(4 * c, 2 * c, maps), _up(2 * c, c, maps))
        self.raise2 = _up(2 * c, c, maps)
        self.fuse = _fuse(3 * c, c, pad, maps)
        self.head = nn.Conv2d(c, seen, 7, padding=3, bias=False, padding_mode=pad)

    @torch.jit.export
    def residual(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)``, in about [-1, 1], to what is added to it, ``(B, C, S, S)``, unbounded."""
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            self._check(image)
        x = self.unshuffle(self.patches.split(image).flatten(0, 1))
        skip1 = self.condition1(self.down1(self.stem(x)))
        skip2 = self.condition2(self.down2(skip1))
        deep = self.bottleneck(self.condition3(self.down3(skip2)))
        level1 = self.step1(deep, deep)  # the bottleneck gates itself
        level2 = self.step2(level1, skip2)
        level3 = self.step3(level2, skip1)
        levels = torch.cat([self.raise1(level1), self.raise2(level2), level3], dim=1)
        r = self.shuffle(self.head(self.fuse(levels)))
        return self.patches.merge(r.unflatten(0, (-1, self.patches.locations)))

    def forward(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)``, in about [-1, 1], to the restored image ``(B, C, S, S)``, in [-1, 1] with "tanh"."""
        r = self.residual(image)
        if not self.training or self.keep_probability >= 1.0:
            return self._out(image, r)
        # drawn on the CPU, so that a seed means the same on every device
        b, side = image.shape[0], image.shape[2]
        kept = (torch.rand([b, 1, side, side]) < self.keep_probability).to(image.device)
        if self.mask == "official":
            return self._out(image, torch.where(kept, r, image))
        return torch.where(kept, self._out(image, r), image)

    def _out(self, image: Tensor, r: Tensor) -> Tensor:
        x = image + r
        return torch.tanh(x) if self.output == "tanh" else x

    def _check(self, image: Tensor) -> None:
        if list(image.shape[1:]) != self.image_shape:
            raise ValueError(
                f"image must have shape (B, C, H, W) with (C, H, W) = {self.image_shape}, got {list(image.shape)}; "
                "set in_channels and image_size."
            )


def _check_sides(image_size: int, grid: int, unshuffle: int) -> None:
    """Insist that patches can be halved three times, and leave two positions a side, which a normalization needs."""
    if min(grid, unshuffle) < 1:
        raise ValueError(f"grid and unshuffle must be positive, got {grid} and {unshuffle}.")
    multiple, least = unshuffle << _STAGES, unshuffle * _LEAST_PATCH
    if image_size % (grid * multiple) or image_size < grid * least:
        raise ValueError(
            f"image_size must be a multiple of {multiple} * grid and its patches at least {least} pixels wide, got "
            f"image_size {image_size} and grid {grid}; change one of them."
        )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")
