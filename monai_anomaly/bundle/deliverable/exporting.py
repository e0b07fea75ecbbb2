# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A trained detector written as one file that stands alone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from monai_anomaly.bundle.calibration import read_any_calibration
from monai_anomaly.bundle.deliverable.card import card_text
from monai_anomaly.bundle.deliverable.metadata import sized_metadata
from monai_anomaly.bundle.deliverable.onnx_file import onnx_bytes
from monai_anomaly.bundle.deliverable.program_file import program_bytes
from monai_anomaly.bundle.deliverable.script_file import script_bytes
from monai_anomaly.bundle.deploy.configuration import add_outputs, deploy_inference
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.bundle_folders import Bundle
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["export_detector"]


def export_detector(
    checkpoint: str | os.PathLike[str],
    path: str | os.PathLike[str],
    kind: str,
    *,
    calibration: str | os.PathLike[str] | None = None,
    bundle: Bundle | None = None,
) -> TrainedDetector:
    """Write a detector with all that it needs, for batches of any size; ``monai_anomaly.load`` opens it.

    The file's input is ``image``, its output ``pred``. It also holds, from the checkpoint and not from the bundle's
    defaults, the spec, the weights' digest, the map's range, the statistics of scores, the input guard, and the
    calibration; but no fingerprints of training images.

    Args:
        checkpoint: a ``model.pt`` that a bundle trained.
        path: the new file.
        kind: ``pt2``, ``ts`` or ``onnx``.
        calibration: the calibration's file; None for none.
        bundle: whose metadata a ``.ts`` has for MONAI Deploy, with a configuration that parses anywhere; None for
            neither.

    Returns:
        The detector that was written.

    Raises:
        CalibrationError: when the calibration is damaged or of other weights.
        CheckpointError: when there is no such file, it is damaged, or has no weights.
        ConfigError: for a detector that no program can be, and for ONNX without the extra ``onnx``.
    """
    trained = TrainedDetector.read(checkpoint)
    trained.require_trained()
    if trained.is_exported:
        raise ConfigError(f"'{trained.path}' is an export; name the checkpoint that it was made of.")
    if trained.member_guards is not None:
        raise ConfigError(
            "a consensus asks its members' input guards which of them count for an image, which no exported program "
            "can: export its members, one file each, or pass its model.pt on."
        )
    known = None if calibration is None else read_any_calibration(calibration)
    if known is not None:
        known.require_match(trained.model_hash, trained.spec_hash, known.frames, known.aggregate)
    card = card_text(_content(trained, known))
    image = torch.zeros(2, *trained.preprocessing.image_shape)
    if kind == "ts":
        data = script_bytes(trained.detector, card, Path(path).stem, _configurations(trained, bundle, card))
    else:
        data = {"onnx": onnx_bytes, "pt2": program_bytes}[kind](trained.detector, image, card)
    atomic_write(path, data)
    return trained


def _content(trained: TrainedDetector, calibration: Calibration | None) -> dict[str, Any]:
    """Return what the card says of a detector."""
    guard = trained.own_guard
    return {
        "model_hash": trained.model_hash,
        "spec_hash": trained.spec_hash,
        "spec": trained.spec,
        "image_shape": list(trained.preprocessing.image_shape),
        "map_range": list(trained.map_range),
        "score_statistics": trained.score_statistics,
        "data": trained.data,
        "description": trained.description,
        "guard": None if guard is None else guard.state(),
        "calibration": None if calibration is None else calibration.content(),
    }


def _configurations(trained: TrainedDetector, bundle: Bundle | None, card: str) -> Mapping[str, str]:
    """Return what MONAI Deploy needs beside the program, with the sizes of this detector."""
    if bundle is None:
        return {}
    metadata = sized_metadata(json.loads(bundle.config("metadata").read_text(encoding="utf-8")), trained)
    add_outputs(metadata)
    return {"metadata.json": json.dumps(metadata), "inference.json": deploy_inference(trained, card)}
