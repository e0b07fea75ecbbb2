# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A bundle's metadata with the sizes of the detector that was trained, which may not be the bundle's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from monai_anomaly.bundle.trained_detector import TrainedDetector

__all__ = ["sized_metadata"]


def sized_metadata(metadata: Mapping[str, Any], trained: TrainedDetector) -> dict[str, Any]:
    """Return what ``metadata.json`` says, with channels and sizes of ``image`` and ``pred`` as a detector has them.

    Args:
        metadata: the file's content, which stays as it is.
        trained: the detector.
    """
    sized = deepcopy(dict(metadata))
    channels, *size = trained.preprocessing.image_shape
    tensors = sized["network_data_format"]
    tensors["inputs"]["image"].update(num_channels=channels, spatial_shape=size)
    tensors["outputs"]["pred"].update(spatial_shape=size)
    return sized
