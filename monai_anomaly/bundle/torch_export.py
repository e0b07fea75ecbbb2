# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A trained detector as a program of ``torch.export``."""

from __future__ import annotations

import os

import torch

from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.utils.atomic import atomic_path

__all__ = ["export_program"]


def export_program(checkpoint: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Write a detector as ``.pt2``, for batches of any size; ``torch.export.load(path).module()`` is it again.

    Args:
        checkpoint: a ``model.pt`` that a bundle trained.
        path: the new file.

    Raises:
        CheckpointError: when there is no such file, it is damaged, or has no weights.
    """
    trained = TrainedDetector.read(checkpoint)
    trained.require_trained()
    image = torch.zeros(2, *trained.preprocessing.image_shape)  # of one alone the size would be taken for fixed
    with torch.no_grad():
        program = torch.export.export(
            trained.detector, (image,), dynamic_shapes={"image": {0: torch.export.Dim("batch")}}
        )
    with atomic_path(path) as temporary, temporary.open("wb") as file:  # by its name it would have to end with .pt2
        torch.export.save(program, file)
