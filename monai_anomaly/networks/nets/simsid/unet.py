# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_anomaly.networks.blocks.patch_grid import PatchGrid
from monai_anomaly.networks.blocks.residual_double_conv import ResidualDoubleConv

__all__ = ["ResidualUNetEncoder", "UNetDecoder"]


def _check_widths(name: str, widths: Sequence[int], least: int) -> list[int]:
    values = [int(width) for width in widths]
    if len(values) < least or any(width < 1 for width in values):
        raise ValueError(f"{name} must have at least {least} entries, all positive, got {values}.")
    return values


class ResidualUNetEncoder(nn.Module):
    """Contracting path of SimSID's U-Net: a residual block at full size, then one with stride 2 for each level.

    It sees every patch of an image on its own: patches stand in the batch dimension.

    Args:
        in_channels: channels of the image.
        channels: widths of the maps, from full size to the bottleneck; each halves the size of the one before.

    Raises:
        ValueError: on an empty or non-positive list of channels; in ``forward`` on sides that cannot be halved that
            often, and on a single patch in training mode.

    Source: SQUID (Xiang et al., CVPR 2023, https://arxiv.org/abs/2111.13495); SimSID (Xiang et al., TPAMI 2024,
    https://arxiv.org/abs/2403.08689).

    Example:
        >>> maps = ResidualUNetEncoder(1, channels=(4, 8, 16))(torch.rand(8, 1, 16, 16))
        >>> [tuple(m.shape) for m in maps]
        [(8, 4, 16, 16), (8, 8, 8, 8), (8, 16, 4, 4)]
    """

    def __init__(self, in_channels: int, *, channels: Sequence[int] = (32, 64, 128, 256, 512)) -> None:
        super().__init__()
        widths = _check_widths("channels", channels, 1)
        blocks = [ResidualDoubleConv(in_channels, widths[0])]
        blocks += [ResidualDoubleConv(before, after, stride=2) for before, after in pairwise(widths)]
        self.blocks = nn.ModuleList(blocks)
        self.reduction = 2 ** (len(widths) - 1)

    def forward(self, patches: Tensor) -> list[Tensor]:
        """Patches ``(N, C, h, w)`` to maps ``(N, channels[i], h / 2**i, w / 2**i)``, the bottleneck last."""
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            self._check(patches)
        maps: list[Tensor] = []
        x = patches
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps

    def _check(self, patches: Tensor) -> None:
        height, width = patches.shape[-2], patches.shape[-1]
        if height % self.reduction != 0 or width % self.reduction != 0:
            raise ValueError(
                f"the sides of a patch must be multiples of {self.reduction} for {len(self.blocks)} channels, got "
                f"{height} x {width}; change the patch size or shorten channels."
            )
        if self.training and patches.shape[0] < 2:
            raise ValueError(
                "the encoder's batch normalization needs at least 2 patches in training mode, got "
                f"{patches.shape[0]}; raise the batch size, or drop the last, smaller batch (drop_last)."
            )


class _DecoderStep(nn.Module):
    """Twice the size, the skip connection if there is one, a residual block, a memory."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int, memory: nn.Module) -> None:
        super().__init__()
        self.conv = ResidualDoubleConv(in_channels + skip_channels, out_channels)
        self.memory = memory

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        if skip is not None:
            x = torch.cat([skip, x], dim=1)
        return self.memory(self.conv(x))


class UNetDecoder(nn.Module):
    """Expanding path of SimSID's U-Net: the first steps on each patch, the others on the whole image.

    Only the deepest steps take skip connections: with those of high resolution the decoder could copy a lesion past the
    memories. The student has a memory after some steps; the teacher is the same network without any.

    Args:
        grid: rows and columns of the patches, or one number for both.
        out_channels: channels of the image.
        channels: widths from the bottleneck to the image's size, one more than there are steps.
        skip_channels: width of the encoder's map that each step takes, 0 for none.
        merge_at: number of steps on single patches; from then on the patches of an image are one map.
        memories: one module for each step, which changes the step's output and keeps its shape, such as
            ``WindowMemory``, or None for no memory; before ``merge_at`` it sees the patches ``(B * P, C, h, w)``. None
            instead of the list stands for no memory at all.

    Raises:
        ValueError: on lists whose lengths do not fit, or an argument outside its range; in ``forward`` on maps that do
            not fit together or to the grid, and on a single image in training mode.

    Source: SQUID (Xiang et al., CVPR 2023, https://arxiv.org/abs/2111.13495); SimSID (Xiang et al., TPAMI 2024,
    https://arxiv.org/abs/2403.08689).

    Example:
        >>> encoder = ResidualUNetEncoder(1, channels=(4, 8, 16))
        >>> decoder = UNetDecoder((2, 2), 1, channels=(16, 8, 4), skip_channels=(8, 0), merge_at=1)
        >>> maps = encoder(torch.rand(8, 1, 16, 16))  # two images of 2 x 2 patches
        >>> [tuple(m.shape) for m in decoder(maps[-1], maps[1:2])]
        [(8, 8, 8, 8), (2, 4, 32, 32), (2, 1, 32, 32)]
    """

    def __init__(
        self,
        grid: int | Sequence[int],
        out_channels: int,
        *,
        channels: Sequence[int] = (512, 256, 128, 64, 32),
        skip_channels: Sequence[int] = (256, 128, 0, 0),
        merge_at: int = 2,
        memories: Sequence[nn.Module | None] | None = None,
    ) -> None:
        super().__init__()
        widths = _check_widths("channels", channels, 2)
        steps = len(widths) - 1
        placed = [None] * steps if memories is None else list(memories)
        if len(skip_channels) != steps or len(placed) != steps:
            raise ValueError(
                f"skip_channels and memories must have one entry for each of the {steps} steps between the "
                f"{steps + 1} channels, got {len(skip_channels)} and {len(placed)}."
            )
        if any(width < 0 for width in skip_channels):
            raise ValueError(f"skip_channels must not be negative, got {list(skip_channels)}.")
        if not 0 <= merge_at <= steps:
            raise ValueError(f"merge_at must lie in [0, {steps}], the number of steps, got {merge_at}.")
        self.patch_grid = PatchGrid(grid, grid=grid)  # only merges, which it does to maps of any size
        self.steps = nn.ModuleList(
            _DecoderStep(before, skip, after, nn.Identity() if memory is None else memory)
            for (before, after), skip, memory in zip(pairwise(widths), skip_channels, placed, strict=True)
        )
        self.out = nn.Conv2d(widths[-1], out_channels, 1)
        self.skip_channels = [int(width) for width in skip_channels]
        self.skips = sum(width > 0 for width in self.skip_channels)
        self.merge_at = merge_at

    def forward(self, bottleneck: Tensor, skips: list[Tensor]) -> list[Tensor]:
        """Decode the patches of B images, P to an image.

        Args:
            bottleneck: ``(B * P, channels[0], h, w)``, the patches of an image one after the other, row by row.
            skips: the encoder's maps of those steps that take one, ``(B * P, skip_channels[i], 2**(i + 1) * h,
                2**(i + 1) * w)``, from fine to deep as the encoder gives them.

        Returns:
            The output of each step behind its memory, ``(B * P, C, ...)`` before ``merge_at`` and ``(B, C, ...)`` from
            there on, and last the image as logits ``(B, out_channels, H, W)``, unbounded.
        """
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            self._check(bottleneck, skips)
        outputs: list[Tensor] = []
        left = len(skips)
        x = bottleneck
        for i, step in enumerate(self.steps):
            if i == self.merge_at:
                x = self._merge(x)
            skip: Tensor | None = None
            if self.skip_channels[i] > 0:
                left -= 1
                skip = skips[left] if i < self.merge_at else self._merge(skips[left])
            x = step(x, skip)
            outputs.append(x)
        if self.merge_at == len(self.steps):
            x = self._merge(x)
        outputs.append(self.out(x))
        return outputs

    def _merge(self, x: Tensor) -> Tensor:
        """Patches ``(B * P, C, h, w)`` to whole maps ``(B, C, rows * h, cols * w)``."""
        return self.patch_grid.merge(x.unflatten(0, (-1, self.patch_grid.locations)))

    def _check(self, bottleneck: Tensor, skips: list[Tensor]) -> None:
        patches = self.patch_grid.locations
        count, height, width = bottleneck.shape[0], bottleneck.shape[2], bottleneck.shape[3]
        if count % patches != 0:
            raise ValueError(
                f"bottleneck must hold all {patches} patches of each image, as the grid says, got {count} maps in all."
            )
        if self.training and count // patches < 2:
            raise ValueError(
                "the decoder's batch normalization needs at least 2 images in training mode, got "
                f"{count // patches}; raise the batch size, or drop the last, smaller batch (drop_last)."
            )
        if len(skips) != self.skips:
            raise ValueError(f"skips must hold {self.skips} maps, as skip_channels says, got {len(skips)}.")
        left = len(skips)
        for i, channels in enumerate(self.skip_channels):
            height, width = 2 * height, 2 * width
            if channels > 0:
                left -= 1
                expected = [count, channels, height, width]
                if list(skips[left].shape) != expected:
                    raise ValueError(
                        f"skips[{left}], for step {i}, must have shape {expected}, got {list(skips[left].shape)}; "
                        "pass the encoder's maps from fine to deep."
                    )
