# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Detector"]


class Detector(nn.Module):
    """Base class of every method's detector: an image in, an anomaly map out.

    A method writes :meth:`anomaly_map`; ``forward`` checks the image once and calls it. What a detector promises:

    - The map ``(B, 1, H, W)`` is float32, on one fixed scale for all images, and **its spatial mean is the image's
      score**, so that one tensor carries both. Higher is more anomalous. Where a score is no mean by nature, the map is
      shifted by a constant for each image; see :meth:`shift_to_score`.
    - In evaluation mode it is deterministic, changes no state, and gives an image the same map in any batch.
    - Its arguments are plain values, so that a checkpoint can say how it was made. All that scoring needs is a
      parameter, a buffer or extra state, and so in the state dict; critics that do not score are no part of it.
    - It can be scripted and traced. ``reconstruct(image)``, the picture that it expected, is there where the method has
      one; ``term_names`` and ``score_terms(image)`` ``(B, terms)`` where its score is a sum.

    A method whose score is in deviations of normal images is a
    :class:`~monai_anomaly.networks.nets.standardized_detector.StandardizedDetector`.

    Args:
        image_size: S, height and width of the images, in pixels.
        in_channels: C, channels of the images.

    Raises:
        ValueError: in ``forward``, on an image of another shape.
    """

    def __init__(self, image_size: int, in_channels: int) -> None:
        super().__init__()
        self.image_size = image_size
        self.in_channels = in_channels

    def forward(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to anomaly map ``(B, 1, S, S)``, float32; its spatial mean is the score."""
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            self.check_image(image)
        return self.anomaly_map(image)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load weights, also out of a whole ``model.pt``: MONAI's exports hand on what they open."""
        weights = state_dict["model"] if {"model", "spec"} <= state_dict.keys() else state_dict
        return super().load_state_dict(weights, strict=strict, assign=assign)

    def exact_together(self) -> bool:
        """Return whether an image's map is the same, bit for bit, at any place in batches of one size on the CPU.

        It is with one thread. With several, convolutions are, and matrix products of many rows are not, as the threads
        share the rows; a method without these says so.
        """
        return torch.get_num_threads() == 1

    def anomaly_map(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)``, whose shape is right, to anomaly map ``(B, 1, S, S)``; what a method writes."""
        raise NotImplementedError("a detector must have anomaly_map.")

    def check_image(self, image: Tensor) -> None:
        """Refuse an image that is not ``(B, C, S, S)``."""
        size = self.image_size
        if image.dim() != 4 or image.shape[1] != self.in_channels or image.shape[2] != size or image.shape[3] != size:
            raise ValueError(
                f"image must have shape (B, {self.in_channels}, {size}, {size}), got {list(image.shape)}; "
                "set in_channels and image_size, and the same in the preprocessing."
            )

    def shift_to_score(self, anomaly: Tensor, score: Tensor) -> Tensor:
        """Shift each map ``(B, 1, S, S)`` by a constant, so that its mean is the image's score ``(B,)``."""
        return anomaly + (score[:, None, None, None] - anomaly.mean(dim=(1, 2, 3), keepdim=True))
