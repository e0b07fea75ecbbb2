# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""Whole anomaly maps beside their masks, kept in bounded memory until pixel metrics are computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["MapCollector"]

MAX_POSITIONS = 2**24
"""Positions of all maps together, 4096 images of 64 x 64; the metrics sort all at once and need some 80 bytes each."""


class MapCollector:
    """Keeps maps and masks of the images that have a mask, float32 and bool of the network's size.

    Beyond ``MAX_POSITIONS`` everything is dropped and ``reason`` says so: a part of the maps would give other
    numbers than all of them. A study of several frames is left out, as its one mask belongs to one frame.

    Args:
        max_positions: most positions of all maps together.
    """

    def __init__(self, max_positions: int = MAX_POSITIONS) -> None:
        self.max_positions = max_positions
        self.maps: list[npt.NDArray[np.float32]] = []
        self.masks: list[npt.NDArray[np.bool_]] = []
        self.groups: list[str] = []
        self._positions = 0

    @property
    def reason(self) -> str:
        """Why there are no maps, or empty."""
        if self._positions > self.max_positions:
            return f"the maps have more than {self.max_positions} positions, which is more than is kept in memory"
        return "" if self.maps else "the data list has no masks"

    def add(self, item: Mapping[str, Any], group: str, frames: int = 1) -> None:
        """Take the map and the mask of one image, if it has one.

        Args:
            item: with ``pred`` ``(1, H, W)`` and possibly ``mask`` ``(1, H, W)``, ``name`` for messages.
            group: the patient.
            frames: frames of its study.

        Raises:
            ValueError: when the mask is of another size than the map.
        """
        if item.get("mask") is None or frames > 1:
            return
        anomaly_map, mask = torch.as_tensor(item["pred"]), torch.as_tensor(item["mask"])
        if anomaly_map.shape != mask.shape:
            sizes = " and ".join(" x ".join(map(str, tensor.shape[1:])) for tensor in (mask, anomaly_map))
            raise ValueError(
                f"mask and map of image '{item['name']}' differ in size ({sizes}); prepare the mask with the "
                "preprocessing of its image."
            )
        self._positions += anomaly_map.numel()
        if self._positions > self.max_positions:
            self.maps, self.masks, self.groups = [], [], []
            return
        self.maps.append(np.array(anomaly_map[0].detach().float().cpu().numpy()))
        self.masks.append(np.array((mask[0].detach().cpu() >= 0.5).numpy()))
        self.groups.append(group)
