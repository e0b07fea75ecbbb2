# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The names of what an inference leaves in its output folder."""

from __future__ import annotations

import re
from pathlib import Path

from monai_anomaly.handlers.scoring.output_folder import is_numbered
from monai_anomaly.handlers.scoring.result_folder import ResultFolder

__all__ = ["DICOM_FOLDER", "MAPS_FOLDER", "OVERLAYS_FOLDER", "PAGE", "RECORDS", "SETTINGS", "TABLE", "inference_folder"]

RECORDS = "records.jsonl"
TABLE = "predictions.csv"
PAGE = "index.html"
SETTINGS = "run.json"
MAPS_FOLDER = "maps"
OVERLAYS_FOLDER = "overlays"
DICOM_FOLDER = "dicom"


def inference_folder(output_dir: Path) -> ResultFolder:
    """Return the output folder of an inference, absolute, whose results are complete where the records are there."""
    folders = (MAPS_FOLDER, OVERLAYS_FOLDER, DICOM_FOLDER)
    return ResultFolder(output_dir, RECORDS, files=(TABLE, PAGE, SETTINGS), folders=folders, is_ours=_is_ours)


def _is_ours(name: str) -> bool:
    return is_numbered(name) or re.fullmatch(r"\d{6,}", name) is not None  # a folder of DICOM objects
