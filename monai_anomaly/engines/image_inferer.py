# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""Inference whose numbers do not depend on the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers.inferer import SimpleInferer
from torch import Tensor

__all__ = ["ImageInferer"]


class ImageInferer(SimpleInferer):
    """Gives an image the same map, bit for bit, in any batch on the CPU; on an accelerator it is MONAI's inferer.

    PyTorch's convolutions choose their algorithm by the batch's size, so that the last digits of a score depend on what
    else is in the batch. On the CPU images therefore go through the network one by one: a file scored alone, from
    Python, has the score that a bundle's run wrote, and a normal that calibrated has exactly its calibration's score.
    On an accelerator, where one by one takes many times as long, scores of other batches agree to about six digits.
    """

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Return the maps ``(B, 1, H, W)`` of images ``(B, C, H, W)``.

        Args:
            inputs: the images.
            network: the detector.
            *args: passed to the network.
            **kwargs: passed to the network.
        """
        if inputs.device.type != "cpu" or len(inputs) == 0:
            return network(inputs, *args, **kwargs)
        alone = (image[None].clone() for image in inputs)  # a clone: nor does the place in memory matter
        return torch.cat([network(image, *args, **kwargs) for image in alone])
