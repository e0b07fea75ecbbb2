# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a training adds to a bundle's archive: weights, calibration, and sizes in the metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from monai_anomaly.apps.zoo.rules import METADATA, read_metadata
from monai_anomaly.bundle.calibration import read_any_calibration
from monai_anomaly.bundle.deliverable.metadata import sized_metadata
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.utils.bundle_folders import Bundle
from monai_anomaly.utils.config_files import read_configs
from monai_anomaly.utils.exceptions import CalibrationError, CheckpointError, ConfigError

__all__ = ["trained_files"]


def trained_files(
    bundle: Bundle, files: Mapping[str, bytes], model: Path, calibration: Path | None = None
) -> dict[str, bytes]:
    """Return the files that a trained detector adds to those of its bundle, or changes, by their paths.

    Args:
        bundle: the detector's.
        files: the bundle's.
        model: a ``model.pt``.
        calibration: the calibration's file; None for the one beside the weights, where there is one.

    Raises:
        CalibrationError: when the calibration is not there, damaged, or of other weights.
        CheckpointError: when the checkpoint is damaged, has no weights, or is of another bundle.
        ConfigError: for an export.
    """
    trained = TrainedDetector.read(model)
    trained.require_trained()
    if trained.is_exported:
        raise ConfigError(f"'{model}' is an export; name the checkpoint that it was made of.")
    own = read_configs([bundle.config("train")]).get("spec", {}).get("detector")
    if trained.spec["detector"] != own:
        raise CheckpointError(
            f"the checkpoint '{model}' is of a {trained.spec['detector']} and the bundle '{bundle.name}' makes {own}: "
            "name the bundle that trained it."
        )
    metadata = read_metadata(files)
    sized = sized_metadata(metadata, trained)
    added = {"models/model.pt": model.read_bytes()}
    if sized != metadata:
        added[METADATA] = (json.dumps(sized, indent=4, ensure_ascii=False) + "\n").encode()
    path = calibration or model.with_name("calibration.json")
    if calibration is not None or path.is_file():
        if not path.is_file():
            raise CalibrationError(f"there is no calibration '{path}'.")
        known = read_any_calibration(path)
        known.require_match(trained.model_hash, trained.spec_hash, known.frames, known.aggregate)
        added["models/calibration.json"] = path.read_bytes()
    return added
