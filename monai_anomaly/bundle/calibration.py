# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How a bundle calibrates its detector, and finds the calibration again."""

from __future__ import annotations

import os
from typing import Any

from monai_anomaly.bundle.deliverable.opening import read_card
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.left_out import ItemList
from monai_anomaly.utils.exceptions import CalibrationError, ConfigError
from monai_anomaly.utils.exported.card_entry import has_calibration, is_deliverable

__all__ = [
    "calibration_folder",
    "calibration_normals",
    "calibration_path",
    "read_any_calibration",
    "read_calibration",
]

SECTIONS = ("validation", "normals")


def calibration_path(checkpoint: str | os.PathLike[str]) -> str:
    """Where the calibration of a checkpoint is unless the user says otherwise: beside it, or in a detector's file.

    Raises:
        CheckpointError: for a detector's file that is damaged.
    """
    if has_calibration(os.path.expanduser(checkpoint)):
        return os.fspath(checkpoint)
    return os.path.join(os.path.dirname(checkpoint), "calibration.json")


def calibration_folder(calibration: str | os.PathLike[str]) -> str:
    """Where a calibration is written: the folder of its file.

    Raises:
        ConfigError: for a detector's file, whose own calibration stays.
    """
    if is_deliverable(calibration):
        raise ConfigError(
            f"'{os.fspath(calibration)}' has a calibration, which stays: name a new file with --calibration FILE.json, "
            "and give it to predict, too."
        )
    return os.path.dirname(calibration) or os.curdir


def read_any_calibration(path: str | os.PathLike[str]) -> Calibration:
    """Read a calibration from its own file, or from the detector's file that holds it.

    Raises:
        CalibrationError: when there is none, or it was edited or damaged.
        CheckpointError: for a detector's file that is damaged.
    """
    path = os.path.expanduser(path)
    if not is_deliverable(path):
        return Calibration.load(path)
    content = read_card(path)["calibration"]
    if not isinstance(content, dict):
        raise CalibrationError(
            f"'{os.fspath(path)}' was exported without a calibration: calibrate, and export again or name the "
            "calibration's file."
        )
    return Calibration.from_content(content, path)


def calibration_normals(dataset_dir: str | os.PathLike[str], section: str, **options: Any) -> list[dict[str, Any]]:
    """Return the normals to calibrate with, as :func:`~monai_anomaly.data.lists.datalist.load_datalist` gives them.

    Args:
        dataset_dir: the data set's folder.
        section: ``"validation"``, for the data that the detector was trained with; or ``"normals"``, for a new site.
        **options: of `load_datalist`; masks are left out.

    Raises:
        ConfigError: for another section: training images make a calibration too optimistic, and a test section that
            calibrated says nothing of the calibration any more.
        CalibrationError: when the section has no normals.
    """
    if section not in SECTIONS:
        raise ConfigError(
            f"section must be validation (the normals held out of the training) or normals (a new site's own), got "
            f"'{section}'."
        )
    listed = load_datalist(dataset_dir, section, **options)
    items = [item for item in listed if item["label"] == 0]
    if not items:
        raise CalibrationError(f"the {section} section has no normal images; add some, or calibrate with others.")
    return ItemList(({key: value for key, value in item.items() if key != "mask"} for item in items), listed.left_out)


def read_calibration(
    path: str | os.PathLike[str],
    trained: TrainedDetector,
    *,
    frames: str,
    aggregate: str,
    false_alarm_rate: float | None = None,
    precision: str = "float32",
) -> Calibration:
    """Return the calibration of a detector, for the rules and the false-alarm rate in use.

    Args:
        path: the calibration's file.
        trained: the detector.
        frames: the frame rule in use.
        aggregate: the aggregation in use.
        false_alarm_rate: the rate that decisions are to have; None asks for none.
        precision: that the network computes in.

    Raises:
        CalibrationError: when there is none, it is damaged or of something else, or has too few patients for the rate.
        CheckpointError: when it is not trained.
    """
    trained.require_trained()
    path = os.path.expanduser(path)
    if not os.path.isfile(path):
        raise CalibrationError(
            f"there is no calibration '{os.fspath(path)}', so that scores cannot become decisions: make one from "
            "held-out normals (run calibrate --config_file .../calibrate.json), or write scores alone with "
            "--uncalibrated True."
        )
    calibration = read_any_calibration(path)
    calibration.require_match(trained.model_hash, trained.spec_hash, frames, aggregate, precision)
    if false_alarm_rate is not None:
        calibration.require_rate(false_alarm_rate)
    return calibration
