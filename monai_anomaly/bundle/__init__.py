# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the bundles need of Python around ``python -m monai.bundle``."""

from __future__ import annotations

from monai_anomaly.bundle.auditing import open_audit
from monai_anomaly.bundle.calibration import calibration_folder, calibration_normals, calibration_path, read_calibration
from monai_anomaly.bundle.checked_workflow import CheckedWorkflow
from monai_anomaly.bundle.command_line import check_overrides
from monai_anomaly.bundle.details import run_details, summarize_data
from monai_anomaly.bundle.dicom_writing import dicom_files
from monai_anomaly.bundle.features import check_weights, feature_layers, feature_network, prepare_features
from monai_anomaly.bundle.locator import prepare_locator
from monai_anomaly.bundle.next_commands import calibrate_command
from monai_anomaly.bundle.pool_checking import compare_pool, write_pool_check
from monai_anomaly.bundle.resuming import check_resumable, goes_on_after_restart, set_earlier_aside
from monai_anomaly.bundle.settings import scoring_settings
from monai_anomaly.bundle.system import expand_user, has_file, local_device, readers
from monai_anomaly.bundle.trained_detector import TrainedDetector, open_detector
from monai_anomaly.bundle.verbosity import set_verbosity
from monai_anomaly.utils.bundle_folders import find_bundle_root
from monai_anomaly.utils.kept_memory import keep_freed_memory

__all__ = [
    "CheckedWorkflow",
    "TrainedDetector",
    "calibrate_command",
    "calibration_folder",
    "calibration_normals",
    "calibration_path",
    "check_overrides",
    "check_resumable",
    "check_weights",
    "compare_pool",
    "dicom_files",
    "expand_user",
    "feature_layers",
    "feature_network",
    "find_bundle_root",
    "goes_on_after_restart",
    "has_file",
    "keep_freed_memory",
    "local_device",
    "open_audit",
    "open_detector",
    "prepare_features",
    "prepare_locator",
    "read_calibration",
    "readers",
    "run_details",
    "scoring_settings",
    "set_earlier_aside",
    "set_verbosity",
    "summarize_data",
    "write_pool_check",
]
