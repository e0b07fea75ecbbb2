# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from monai_anomaly.networks.blocks.self_attention import SelfAttentionBlock
from monai_anomaly.networks.nets.ocad.layers import (
    SMALL,
    check_widths,
    convolution,
    linear,
    size_after,
)

__all__ = ["LATENT_KINDS", "AttentionEncoder", "Bottleneck", "ConvDecoder"]

LATENT_KINDS = ("vector", "map")


class AttentionEncoder(nn.Module):
    """Image to map: in each stage a 3x3 convolution, ReLU and 2x2 maximum pooling; self-attention after one of them.

    Args:
        image_size: height and width of the images, in pixels.
        in_channels: channels of the images.
        channels: width of each stage; the published ones, at 176 pixels, narrow towards the latent.
        attention_stage: the stage, counted from 1, whose pooled map passes the :class:`.SelfAttentionBlock`; None for
            an encoder without attention. A stage later is a sixteenth of the pairs of positions.
        heads: heads of the attention.
        head_dim: channels of a head.
        position: whether the attention knows the places; without, it is the same for any order of the positions.
        norm: normalization after each convolution, "none" or "group"; see :func:`.make_norm`.
        patch: side of the patches whose pixels become channels first. At 2, all convolutions work on a quarter of the
            positions, and a training step at 64 pixels takes two thirds of the time on a CPU.

    Attributes:
        out_channels: channels of the map, the last of ``channels``.
        out_size: height and width of the map.

    Raises:
        ValueError: on an argument outside its range, and for an image size that cannot be halved once per stage down
            to at least 2.

    Source: W. Aljuhani, "One-Class Anomaly Detection" (OCAD).

    Example:
        >>> AttentionEncoder(16, 3, (8, 4), heads=2, head_dim=4)(torch.rand(2, 3, 16, 16)).shape
        torch.Size([2, 4, 4, 4])
    """

    def __init__(
        self,
        image_size: int,
        in_channels: int,
        channels: Sequence[int] = (256, 128, 64),
        *,
        attention_stage: int | None = 2,
        heads: int = 4,
        head_dim: int = 64,
        position: bool = False,
        norm: str = "none",
        patch: int = 1,
    ) -> None:
        super().__init__()
        check_widths(in_channels=in_channels, channels=channels, patch=patch)
        if image_size % patch:
            raise ValueError(f"patch must divide the image_size of {image_size}, got {patch}.")
        self.out_size = size_after(image_size // patch, len(channels))
        if attention_stage is not None and not 1 <= attention_stage <= len(channels):
            raise ValueError(
                f"attention_stage must be None or from 1 to {len(channels)}, the number of channels, "
                f"got {attention_stage}."
            )
        self.out_channels = channels[-1]
        layers: list[nn.Module] = [nn.PixelUnshuffle(patch)] if patch > 1 else []
        for stage, (before, after) in enumerate(pairwise((in_channels * patch**2, *channels)), 1):
            # the maximum commutes with ReLU, which this way works on a quarter of the values
            layers += [*convolution(before, after, norm), nn.MaxPool2d(2), nn.ReLU(inplace=True)]
            if stage == attention_stage:
                layers.append(SelfAttentionBlock(after, heads=heads, head_dim=head_dim, position=position))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """``(B, in_channels, S, S)`` to ``(B, out_channels, out_size, out_size)``.

        Not negative, unless the attention follows the last stage.
        """
        return self.layers(image)


class ConvDecoder(nn.Module):
    """Map to image: in each stage a 3x3 convolution, ReLU and nearest-neighbor upsampling by 2; a last convolution.

    Args:
        out_channels: channels of the image.
        channels: width of each stage.
        in_channels: channels of the map.
        norm: normalization after each convolution but the last, "none" or "group".
        patch: side of the patches that each position of the last convolution paints.

    Raises:
        ValueError: on an argument outside its range.

    Source: W. Aljuhani, "One-Class Anomaly Detection" (OCAD), without its sigmoid.

    Example:
        >>> ConvDecoder(3, (4, 8), in_channels=5)(torch.rand(2, 5, 4, 4)).shape
        torch.Size([2, 3, 16, 16])
    """

    def __init__(
        self,
        out_channels: int,
        channels: Sequence[int] = (64, 128, 256),
        *,
        in_channels: int,
        norm: str = "none",
        patch: int = 1,
    ) -> None:
        super().__init__()
        check_widths(out_channels=out_channels, channels=channels, in_channels=in_channels, patch=patch)
        layers: list[nn.Module] = []
        for before, after in pairwise((in_channels, *channels)):
            layers += [*convolution(before, after, norm), nn.ReLU(inplace=True), nn.Upsample(scale_factor=2.0)]
        layers.append(linear(nn.Conv2d(channels[-1], out_channels * patch**2, 3, padding=1), SMALL))
        if patch > 1:
            layers.append(nn.PixelShuffle(patch))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in_channels, h, w)`` to ``(B, out_channels, f h, f w)`` with f = 2^stages * patch, unbounded."""
        return self.layers(x)


class Bottleneck(nn.Module):
    """Between the encoder's map and the latent, there and back, by one linear layer each.

    Args:
        channels: C, channels of the encoder's map.
        size: height and width of the encoder's map.
        latent_channels: D, length of the latent vector or channels of the latent map.
        kind: "vector", of the whole map; or "map", of each position by itself, which keeps the places. A latent map as
            wide as the encoder's is the encoder's, without a layer.
        restore: whether ``decode`` leads back to the encoder's map; otherwise it gives the latent as it is, for a
            decoder that takes it so.

    Raises:
        ValueError: on an argument outside its range, and for a latent larger than the map.

    Example:
        >>> bottleneck = Bottleneck(8, 4, 16)
        >>> latent = bottleneck.encode(torch.rand(2, 8, 4, 4))
        >>> latent.shape, bottleneck.decode(latent).shape
        (torch.Size([2, 16]), torch.Size([2, 8, 4, 4]))
    """

    def __init__(
        self, channels: int, size: int, latent_channels: int, *, kind: str = "vector", restore: bool = True
    ) -> None:
        super().__init__()
        check_widths(channels=channels, size=size, latent_channels=latent_channels)
        if kind not in LATENT_KINDS:
            raise ValueError(f"kind must be one of {', '.join(map(repr, LATENT_KINDS))}, got {kind!r}.")
        values = channels * size**2 if kind == "vector" else channels
        if latent_channels > values:
            what = f"{channels} x {size} x {size} = {values} values" if kind == "vector" else f"{values} channels"
            raise ValueError(
                f"a latent {kind} of {latent_channels} is no bottleneck for a map of {what}; lower latent_channels."
            )
        self.latent_channels = latent_channels
        self.inward: nn.Module = nn.Identity()
        self.outward: nn.Module = nn.Identity()
        if kind == "vector":
            self.inward = nn.Sequential(nn.Flatten(), linear(nn.Linear(values, latent_channels)))
            if restore:
                back = linear(nn.Linear(latent_channels, values))
                self.outward = nn.Sequential(back, nn.Unflatten(1, (channels, size, size)))
        elif latent_channels < channels:
            self.inward = linear(nn.Conv2d(channels, latent_channels, 1))
            if restore:
                self.outward = linear(nn.Conv2d(latent_channels, channels, 1))

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        """Return the encoder's map ``(B, C, size, size)`` to the latent, ``(B, D)`` or ``(B, D, size, size)``."""
        return self.inward(x)

    @torch.jit.export
    def decode(self, latent: Tensor) -> Tensor:
        """Return the latent to the decoder's input: a map ``(B, C, size, size)``, or the latent if not ``restore``."""
        return self.outward(latent)
