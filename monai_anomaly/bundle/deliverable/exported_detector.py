# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from monai.utils.type_conversion import convert_to_dst_type
from torch import Tensor

from monai_anomaly.networks.nets.detector import Detector

__all__ = ["ExportedDetector", "Program"]


class Program(Protocol):
    """What computes maps of images."""

    def __call__(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to map ``(B, 1, S, S)``, both float32 and on its device."""

    def to(self, device: torch.device) -> None:
        """Compute on another device from now on."""


class ExportedDetector(Detector):
    """A detector whose map the program of a ``.pt2``, ``.ts`` or ``.onnx`` file computes.

    It has no weights to train and neither ``reconstruct`` nor ``score_terms``: a file has one output.

    Args:
        image_size: S, height and width of the images, in pixels.
        in_channels: C, channels of the images.
        program: the file's.
    """

    def __init__(self, image_size: int, in_channels: int, program: Program) -> None:
        super().__init__(image_size, in_channels)
        self.program = program
        self.register_buffer("place", torch.zeros(()), persistent=False)
        self.place: Tensor

    def exact_together(self) -> bool:
        """Return False: nobody knows how the program's runtime computes."""
        return False

    def anomaly_map(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to anomaly map ``(B, 1, S, S)``, float32, by the program."""
        plain = image.detach().as_subclass(Tensor).float().contiguous()
        anomaly: Tensor = convert_to_dst_type(self.program(plain), image, dtype=torch.float32)[0]
        return anomaly

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Take the program to where ``to``, ``cuda`` or ``cpu`` takes the module; its memory format is its own."""
        moved = super()._apply(fn, recurse)
        self.program.to(self.place.device)
        return moved
