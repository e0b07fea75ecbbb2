# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What OCAD's networks share: checks of their arguments, and layers as they are initialized."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from monai_anomaly.networks.blocks.normalization import make_norm

__all__ = ["LEAKY_SLOPE", "SMALL", "check_widths", "convolution", "initialize", "linear", "size_after"]

LEAKY_SLOPE = 0.2
SMALL = 0.1
"""Gain of a network's last layer: its first outputs are close to zero."""


def check_widths(**widths: int | Sequence[int]) -> None:
    """Refuse a width, or a list of widths, that is not positive or is empty, with a ValueError that names it."""
    for name, value in widths.items():
        values = [value] if isinstance(value, int) else list(value)
        if not values or any(width < 1 for width in values):
            raise ValueError(f"{name} must be positive and not empty, got {value}.")


def size_after(image_size: int, halvings: int) -> int:
    """Side of the map after the halvings; it has at least 2 x 2 positions."""
    size, left = divmod(image_size, 2**halvings)
    if left or size < 2:
        raise ValueError(
            f"image_size must be a multiple of {2**halvings} and at least {2 ** (halvings + 1)} for {halvings} "
            f"channels, each of which halves the map, got {image_size}; resize the images or shorten channels."
        )
    return size


def initialize(
    layer: nn.Conv2d | nn.Linear, nonlinearity: Literal["linear", "relu", "leaky_relu"], gain: float = 1.0
) -> None:
    """He's normal weights by fan-in, times ``gain``, and a bias of zero."""
    nn.init.kaiming_normal_(layer.weight, a=LEAKY_SLOPE, mode="fan_in", nonlinearity=nonlinearity)
    with torch.no_grad():
        layer.weight.mul_(gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def convolution(before: int, after: int, norm: str) -> list[nn.Module]:
    """3x3 convolution and a normalization."""
    conv = nn.Conv2d(before, after, 3, padding=1)
    initialize(conv, "relu")
    return [conv, make_norm(norm, after)]


def linear(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """Return a layer without activation; at gain 1 it keeps the mean square of its inputs."""
    initialize(layer, "linear", gain)
    return layer
