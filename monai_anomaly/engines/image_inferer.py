# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""Inference whose numbers do not depend on the batch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from monai.inferers.inferer import SimpleInferer
from torch import Tensor

__all__ = ["ImageInferer", "check_precision"]

PRECISIONS = ("float32", "bfloat16")

TOGETHER = 8
"""Images of a forward pass on the CPU: more save little, and a single one costs as much as this many."""

LARGEST_TOGETHER = 128 * 128
"""Pixels of an image above which it fills a core alone, and eight of them would only take memory."""


class ImageInferer(SimpleInferer):
    """Gives an image the same map, bit for bit, in any batch on the CPU; on an accelerator it is MONAI's inferer.

    PyTorch's convolutions choose their algorithm by the batch's size, so that the last digits of a score depend on what
    else is in the batch. On the CPU small images therefore go through the network in eights, the last of them filled up
    with copies: a file scored alone, from Python, has the score that a bundle's run wrote, and a normal that calibrated
    has exactly its calibration's score. A small image alone takes the time of eight, tens of milliseconds, and a list
    of them half the time that they would take one by one. Large images do go one by one, and those of a network without
    :meth:`~monai_anomaly.networks.nets.detector.Detector.exact_together`. On an accelerator, where that would take
    many times as long, scores of other batches agree to about six digits.

    Args:
        precision: ``"float32"``, or ``"bfloat16"`` for PyTorch's autocast to that: faster where the processor has it,
            for scores that differ from the others, by which a calibration is another one. Maps are float32 in any case.

    Raises:
        ValueError: for another precision.
    """

    def __init__(self, precision: str = "float32") -> None:
        super().__init__()
        self.precision = check_precision(precision)

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Return the maps ``(B, 1, H, W)`` of images ``(B, C, H, W)``.

        Args:
            inputs: the images.
            network: the detector.
            *args: passed to the network.
            **kwargs: passed to the network.
        """
        kind = inputs.device.type
        with nullcontext() if self.precision == "float32" else torch.autocast(kind, torch.bfloat16):
            return self._maps(inputs, network, *args, **kwargs).float()

    def _maps(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        if inputs.device.type != "cpu" or len(inputs) == 0:
            return network(inputs, *args, **kwargs)
        exact = getattr(network, "exact_together", lambda: False)
        size = TOGETHER if inputs.shape[-2] * inputs.shape[-1] <= LARGEST_TOGETHER and exact() else 1
        return torch.cat([network(_filled(part, size), *args, **kwargs)[: len(part)] for part in inputs.split(size)])


def check_precision(precision: str) -> str:
    """Return a precision unchanged.

    Raises:
        ValueError: for an unknown one.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}.")
    return precision


def _filled(images: Tensor, size: int) -> Tensor:
    """Copy images, as their place in memory must not matter either, and the last one until there are enough."""
    copies = images[-1:].expand(size - len(images), *images.shape[1:])
    return torch.cat([images, copies])
