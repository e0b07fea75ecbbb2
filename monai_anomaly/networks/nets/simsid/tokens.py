# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The report's networks around a grid of tokens: patches to tokens, tokens to image."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["STEMS", "PatchCNN", "TokenDecoder"]

STEMS = ("fc", "grid")


def _pair(name: str, value: int | Sequence[int]) -> tuple[int, int]:
    """Height and width."""
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or min(pair) < 1:
        raise ValueError(f"{name} must be one or two positive numbers, got {value}.")
    return pair


def _check_positive(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}.")


class PatchCNN(nn.Module):
    """Patch to token: convolution, batch normalization, ReLU and pooling by two, repeated; a linear layer.

    Args:
        in_channels: channels of the image.
        patch_size: height and width of a patch, in pixels, at least 2.
        channels: widths of the convolutions; the first ``floor(log2(shorter side))`` of them are used when a patch is
            too small for as many poolings.
        dim: length of a token.

    Raises:
        ValueError: on an argument outside its range, and in ``forward`` on patches of another shape.

    Source: S. R., "Unsupervised Anomaly Detection using SimSID algorithm", Anna University, 2025, Algorithm 4.2, whose
    linear layer is made at the first image; here it is made with the network, from the patch size.

    Example:
        >>> PatchCNN(1, 16)(torch.rand(2, 64, 1, 16, 16)).shape
        torch.Size([2, 64, 64])
    """

    def __init__(
        self,
        in_channels: int,
        patch_size: int | Sequence[int],
        *,
        channels: Sequence[int] = (32, 64, 128, 256),
        dim: int = 64,
    ) -> None:
        super().__init__()
        height, width = _pair("patch_size", patch_size)
        _check_positive(in_channels=in_channels, dim=dim)
        if len(channels) < 1 or min(channels) < 1:
            raise ValueError(f"channels must be one or more positive numbers, got {tuple(channels)}.")
        if min(height, width) < 2:
            raise ValueError(f"patch_size must be at least 2 pixels, got {height} x {width}; use a coarser grid.")
        self.patch_shape = (in_channels, height, width)
        pools = min(len(channels), min(height, width).bit_length() - 1)
        widths = [in_channels, *channels[:pools]]
        blocks: list[nn.Module] = []
        for before, after in pairwise(widths):
            blocks += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
            ]
        self.blocks = nn.Sequential(*blocks)
        self.out = nn.Linear(widths[-1] * (height >> pools) * (width >> pools), dim)

    def forward(self, patches: Tensor) -> Tensor:
        """Patches ``(B, P, C, h, w)`` to tokens ``(B, P, D)``."""
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            self._check_patches(patches)
        b, p, c, h, w = patches.shape
        return self.out(self.blocks(patches.reshape(b * p, c, h, w)).flatten(1)).reshape(b, p, self.out.out_features)

    def _check_patches(self, patches: Tensor) -> None:
        c, h, w = self.patch_shape
        if patches.dim() != 5 or patches.shape[2] != c or patches.shape[3] != h or patches.shape[4] != w:
            raise ValueError(
                f"patches must have shape (B, P, {c}, {h}, {w}), got {list(patches.shape)}; "
                "set in_channels and patch_size."
            )


class TokenDecoder(nn.Module):
    """Tokens of a grid to an image: a stem, then transposed convolutions that double the sides.

    All but the last are followed by batch normalization and ReLU; the last gives logits, and the caller applies the
    activation of the images' range (sigmoid for [0, 1], tanh for [-1, 1]).

    Args:
        grid: rows and columns of patches.
        dim: length of a token.
        out_channels: channels of the image.
        image_size: height and width of the image, in pixels: those of the stem times a power of two.
        stem: "fc", one linear layer from all tokens, as the report has it (67 million weights for 64 tokens of 64), or
            "grid", a 1x1 convolution on the grid of tokens, which keeps each token in its place.
        stem_size: height and width of the "fc" stem; that of "grid" is the grid.
        channels: width of the stem and of the transposed convolutions but the last, one per doubling; None halves from
            256, and not below 32.

    Attributes:
        steps: number of doublings.

    Raises:
        ValueError: on an argument outside its range, and in ``forward`` on tokens of another shape.

    Source: S. R., "Unsupervised Anomaly Detection using SimSID algorithm", Anna University, 2025, Algorithm 4.8.

    Example:
        >>> decoder = TokenDecoder((8, 8), 64, 1, stem="grid")
        >>> [tuple(x.shape[1:]) for x in decoder(torch.rand(2, 64, 64))]
        [(128, 16, 16), (64, 32, 32), (32, 64, 64), (1, 128, 128)]
    """

    def __init__(
        self,
        grid: Sequence[int],
        dim: int,
        out_channels: int,
        *,
        image_size: int | Sequence[int] = 128,
        stem: str = "fc",
        stem_size: int | Sequence[int] = 8,
        channels: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if stem not in STEMS:
            raise ValueError(f"stem must be one of {STEMS}, got {stem!r}.")
        _check_positive(dim=dim, out_channels=out_channels)
        self.rows, self.cols = _pair("grid", grid)
        self.dim = dim
        self.on_grid = stem == "grid"
        self.height, self.width = (self.rows, self.cols) if self.on_grid else _pair("stem_size", stem_size)
        self.steps = self._count_steps(_pair("image_size", image_size))
        widths = [max(32, 256 >> i) for i in range(self.steps)] if channels is None else list(channels)
        if len(widths) != self.steps or min(widths) < 1:
            raise ValueError(f"channels must be {self.steps} positive numbers, one per doubling, got {widths}.")
        self.stem: nn.Module = (
            nn.Conv2d(dim, widths[0], 1)
            if self.on_grid
            else nn.Linear(self.rows * self.cols * dim, widths[0] * self.height * self.width)
        )
        blocks: list[nn.Module] = [
            nn.Sequential(
                nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            )
            for before, after in pairwise(widths)
        ]
        self.blocks = nn.ModuleList([*blocks, nn.ConvTranspose2d(widths[-1], out_channels, 4, stride=2, padding=1)])

    def _count_steps(self, image: tuple[int, int]) -> int:
        steps = (image[0] // self.height).bit_length() - 1
        if steps < 1 or image != (self.height << steps, self.width << steps):
            raise ValueError(
                f"image_size must be that of the stem, {self.height} x {self.width}, times a power of two, got "
                f"{image[0]} x {image[1]}; change {'grid' if self.on_grid else 'stem_size'}."
            )
        return steps

    def forward(self, tokens: Tensor) -> list[Tensor]:
        """Tokens ``(B, P, D)`` to the outputs of all steps, the image's logits ``(B, out_channels, H, W)`` last."""
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            self._check_tokens(tokens)
        if self.on_grid:
            x = self.stem(tokens.transpose(1, 2).reshape(tokens.shape[0], self.dim, self.rows, self.cols))
        else:
            x = self.stem(tokens.flatten(1)).reshape(tokens.shape[0], -1, self.height, self.width)
        outputs: list[Tensor] = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return outputs

    def _check_tokens(self, tokens: Tensor) -> None:
        if tokens.dim() != 3 or tokens.shape[1] != self.rows * self.cols or tokens.shape[2] != self.dim:
            raise ValueError(
                f"tokens must have shape (B, {self.rows * self.cols}, {self.dim}), got {list(tokens.shape)}; "
                "set grid and dim to those of the encoder."
            )
        if self.training and tokens.shape[0] < 2:
            raise ValueError(
                "the decoder's batch normalization needs at least 2 images in training mode, got "
                f"{tokens.shape[0]}; raise the batch size, or drop the last, smaller batch (drop_last)."
            )
