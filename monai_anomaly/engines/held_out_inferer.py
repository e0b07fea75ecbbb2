# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Inference of normals that a detector's scale was taken from, as if it had not been."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from monai_anomaly.engines.image_inferer import ImageInferer
from monai_anomaly.networks.nets.consensus.consensus import Consensus

__all__ = ["HeldOutInferer"]


class HeldOutInferer(ImageInferer):
    """Scores for a calibration: of a held-out normal of the consensus, what it would have without that patient.

    Any other image has the map that :class:`~monai_anomaly.engines.image_inferer.ImageInferer` gives it.
    """

    def __call__(self, inputs: Tensor, network: Consensus, *args: Any, **kwargs: Any) -> Tensor:  # type: ignore[override]
        """Return the maps ``(B, 1, H, W)`` of images ``(B, C, H, W)``.

        Args:
            inputs: the images.
            network: the consensus.
            *args: passed to it.
            **kwargs: passed to it.
        """
        return super().__call__(inputs, network.held_out_map, *args, **kwargs)
