# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The image score is the spatial mean of the anomaly map."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config.type_definitions import KeysCollection, NdarrayOrTensor
from monai.transforms.transform import MapTransform, Transform
from monai.utils.enums import TransformBackends
from monai.utils.misc import ensure_tuple_rep

__all__ = ["ScoreFromMap", "ScoreFromMapD", "ScoreFromMapDict", "ScoreFromMapd"]


class ScoreFromMap(Transform):
    """The spatial mean of an anomaly map, as a Python float: the image score of every method.

    The mean of the float32 map is taken in float64, so that it does not depend on the order of summation of a device.
    A map with a NaN or an infinity has a score that is not finite; writers and metrics refuse it.
    """

    backend = [TransformBackends.TORCH, TransformBackends.NUMPY]

    def __call__(self, anomaly_map: NdarrayOrTensor) -> float:
        """
        Args:
            anomaly_map: map of one image, shape ``(1, H, W)``, higher = more anomalous.

        Raises:
            ValueError: when the shape is not ``(1, H, W)`` with at least one position.
        """
        values = torch.as_tensor(anomaly_map)
        if values.ndim != 3 or values.shape[0] != 1 or values.numel() == 0:
            raise ValueError(
                f"An anomaly map must have the shape (1, H, W), got {tuple(values.shape)}; score one decollated image "
                "at a time, with a network whose output has one channel."
            )
        return float(values.mean(dtype=torch.float64))


class ScoreFromMapd(MapTransform):
    """Dictionary form of :class:`ScoreFromMap`; the map stays where it is.

    Args:
        keys: keys of the maps, each of shape ``(1, H, W)``.
        score_key: key, or one key per map, under which the score is put.
        allow_missing_keys: whether a missing map is passed over.
    """

    backend = ScoreFromMap.backend

    def __init__(
        self,
        keys: KeysCollection = "pred",
        score_key: KeysCollection = "score",
        *,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.score_keys = ensure_tuple_rep(score_key, len(self.keys))
        self.score = ScoreFromMap()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key, score_key in self.key_iterator(d, self.score_keys):
            d[score_key] = self.score(d[key])
        return d


ScoreFromMapD = ScoreFromMapDict = ScoreFromMapd
