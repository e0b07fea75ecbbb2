# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from monai_anomaly.networks.blocks.minibatch_stddev import MinibatchStdDev
from monai_anomaly.networks.blocks.preactivation import (
    LEAKY_SLOPE,
    PreActivationBlock,
    PreActivationDown,
    PreActivationUp,
)
from monai_anomaly.networks.blocks.squeeze_excitation import SqueezeExcitation

__all__ = [
    "ARCHITECTURES",
    "IMAGE_SIZES",
    "Decoder",
    "Encoder",
    "check_channels",
    "check_geometry",
    "doubling_channels",
]

ARCHITECTURES = ("residual", "paper")
IMAGE_SIZES = (32, 64, 128, 256)

_ENCODER_CHANNELS = {
    32: (64, 128, 256, 256),
    64: (32, 64, 128, 256, 256),
    128: (32, 32, 64, 128, 256, 256),
    256: (16, 32, 32, 64, 128, 256, 256),
}


def doubling_channels(image_size: int, first: int, last: int) -> list[int]:
    """Return encoder widths that double from the image's resolution to 4x4 until they reach a limit.

    Args:
        image_size: height and width of the image, in pixels.
        first: width at the image's resolution.
        last: the limit.

    Example:
        >>> doubling_channels(64, 8, 64)
        [8, 16, 32, 64, 64]
    """
    return [min(last, first * 2**i) for i in range(image_size.bit_length() - 2)]


def check_geometry(image_size: int, in_channels: int, arch: str) -> None:
    """Refuse images and architectures that the networks are not made for, with a ValueError."""
    if image_size not in IMAGE_SIZES:
        raise ValueError(f"image_size must be one of {IMAGE_SIZES}, got {image_size}.")
    if in_channels not in (1, 3):
        raise ValueError(f"in_channels must be 1 (gray) or 3 (color), got {in_channels}.")
    if arch not in ARCHITECTURES:
        raise ValueError(f"arch must be one of {ARCHITECTURES}, got {arch!r}.")


def check_channels(name: str, channels: Sequence[int] | None, default: tuple[int, ...], image_size: int) -> list[int]:
    """Return the channel list, or the published one for None; one entry per resolution from the image's down to 4x4."""
    values = list(default if channels is None else channels)
    count = image_size.bit_length() - 2
    if len(values) != count:
        raise ValueError(
            f"{name} must have {count} entries for image_size {image_size} (one per resolution from {image_size} "
            f"to 4), got {len(values)}: {values}."
        )
    if any(v < 1 for v in values):
        raise ValueError(f"{name} must be positive, got {values}.")
    return values


def _gate(se: bool, channels: int, reduction: int, gate_init: float) -> nn.Module:
    return SqueezeExcitation(channels, reduction, gate_init=gate_init) if se else nn.Identity()


def _init_convolutions(module: nn.Module) -> None:
    """Kaiming normal, fan-out, slope 0.2, for every convolution; biases and linear layers keep the framework's."""
    for m in module.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, a=LEAKY_SLOPE, mode="fan_out")


class Encoder(nn.Module):
    """Image to latent vector: stem, one ``PreActivationDown`` per halving to 4x4, a 4x4 convolution to 1x1.

    Args:
        image_size: height and width of the image, in pixels: 32, 64, 128 or 256.
        in_channels: 1 or 3.
        channels: widths from the image's resolution to 4x4, ``log2(image_size) - 1`` entries; None takes the published
            list. With ``arch="paper"`` the stem and the first ``Down`` have the first width, and the last width is that
            of the head.
        latent_channels: length of the latent vector.
        se: squeeze-and-excitation after the stem and after each ``Down`` (after the residual sum).
        se_reduction: ratio of the squeeze-and-excitation.
        se_gate_init: initial value of its gates; 0.5 is the original.
        arch: "residual" (pool before the convolutions; a residual block in the stem) or "paper" (the PIAD paper's own
            code: pool after the convolutions, plain stem, two-step head).
        minibatch_stddev: append ``MinibatchStdDev`` before the head; for critics of ``arch="paper"`` only.

    Raises:
        ValueError: on a size, channel count, list length or architecture that does not exist.

    Source: Tuluptceva et al., "Perceptual Image Anomaly Detection", https://arxiv.org/abs/1909.05904.
    """

    def __init__(
        self,
        image_size: int = 64,
        in_channels: int = 1,
        *,
        channels: Sequence[int] | None = None,
        latent_channels: int = 256,
        se: bool = True,
        se_reduction: int = 8,
        se_gate_init: float = 0.5,
        arch: str = "residual",
        minibatch_stddev: bool = False,
    ) -> None:
        super().__init__()
        check_geometry(image_size, in_channels, arch)
        if latent_channels < 1:
            raise ValueError(f"latent_channels must be at least 1, got {latent_channels}.")
        paper = arch == "paper"
        if minibatch_stddev and not paper:
            raise ValueError("minibatch_stddev exists only with arch='paper'.")
        widths = check_channels("encoder channels", channels, _ENCODER_CHANNELS[image_size], image_size)
        path = [widths[0], *widths[:-1]] if paper else widths

        stem: list[nn.Module] = [nn.Conv2d(in_channels, path[0], 3, padding=1)]
        if not paper:
            stem.append(PreActivationBlock(path[0], path[0]))
        blocks: list[nn.Module] = [nn.Sequential(*stem), _gate(se, path[0], se_reduction, se_gate_init)]
        for before, after in pairwise(path):
            blocks += [
                PreActivationDown(before, after, pool_first=not paper),
                _gate(se, after, se_reduction, se_gate_init),
            ]
        self.blocks = nn.Sequential(*blocks)
        self.head = self._head(path[-1], widths[-1], latent_channels, paper, minibatch_stddev)
        _init_convolutions(self)

    @staticmethod
    def _head(before: int, hidden: int, out: int, paper: bool, minibatch_stddev: bool) -> nn.Sequential:
        if not paper:
            return nn.Sequential(nn.LeakyReLU(LEAKY_SLOPE), nn.Conv2d(before, out, 4))
        head: list[nn.Module] = [MinibatchStdDev()] if minibatch_stddev else []
        head += [nn.LeakyReLU(LEAKY_SLOPE), nn.Conv2d(before + int(minibatch_stddev), hidden, 4)]
        return nn.Sequential(*head, nn.LeakyReLU(LEAKY_SLOPE), nn.Conv2d(hidden, out, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, in_channels, S, S)`` in [-1, 1] to ``(B, latent_channels, 1, 1)``, unbounded."""
        return self.head(self.blocks(x))


class Decoder(nn.Module):
    """Latent vector to image: a 4x4 convolution to 4x4, one ``PreActivationUp`` per doubling, a convolution.

    Args:
        image_size: height and width of the image, in pixels: 32, 64, 128 or 256.
        out_channels: 1 or 3.
        channels: widths from 4x4 to the image's resolution, ``log2(image_size) - 1`` entries; None takes the published
            list.
        latent_channels: length of the latent vector.
        se: squeeze-and-excitation after each ``Up``.
        se_reduction: ratio of the squeeze-and-excitation.
        se_gate_init: initial value of its gates.
        arch: "residual" or "paper" (no activation on the latent vector; a residual block and a 1x1 convolution last).

    Raises:
        ValueError: on a size, channel count, list length or architecture that does not exist.
    """

    def __init__(
        self,
        image_size: int = 64,
        out_channels: int = 1,
        *,
        channels: Sequence[int] | None = None,
        latent_channels: int = 256,
        se: bool = True,
        se_reduction: int = 8,
        se_gate_init: float = 0.5,
        arch: str = "residual",
    ) -> None:
        super().__init__()
        check_geometry(image_size, out_channels, arch)
        widths = check_channels("decoder channels", channels, _ENCODER_CHANNELS[image_size][::-1], image_size)
        paper = arch == "paper"
        start: nn.Module = nn.Identity() if paper else nn.LeakyReLU(LEAKY_SLOPE)
        blocks: list[nn.Module] = [start, nn.Conv2d(latent_channels, widths[0], 4, padding=3)]
        for before, after in pairwise(widths):
            blocks += [PreActivationUp(before, after), _gate(se, after, se_reduction, se_gate_init)]
        self.blocks = nn.Sequential(*blocks)
        last = widths[-1]
        self.tail = (
            nn.Sequential(PreActivationBlock(last, last), nn.LeakyReLU(LEAKY_SLOPE), nn.Conv2d(last, out_channels, 1))
            if paper
            else nn.Sequential(nn.LeakyReLU(LEAKY_SLOPE), nn.Conv2d(last, out_channels, 3, padding=1))
        )
        _init_convolutions(self)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """``(B, latent_channels, 1, 1)`` to ``(B, out_channels, S, S)``, meant for [-1, 1] but not clamped."""
        return self.tail(self.blocks(z))
