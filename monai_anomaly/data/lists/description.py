# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a report calls a data set."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path

from monai_anomaly.data.lists.csv_list import LABELS_NAME
from monai_anomaly.data.lists.json_list import LIST_NAME

__all__ = ["PHANTOM_NAME", "describe_data_set"]

PHANTOM_NAME = "monai_anomaly phantom"
"""The name in the list of a generated data set."""


def describe_data_set(dataset_dir: PathLike | str, *, source_names: bool = False) -> str:
    """Return the kind of a data set, and its folder's name where source names are asked for.

    Args:
        dataset_dir: as in :func:`~monai_anomaly.data.lists.datalist.load_datalist`.
        source_names: whether a report may hold names of folders, which can be those of persons.

    Returns:
        such as ``"labels.csv"``, ``"folder"``, ``"dataset.json of breast_2024"`` or ``"generated phantom"``.
    """
    root = Path(dataset_dir).expanduser().absolute()
    if root.is_file():
        kind = "one file"
    elif (root / LABELS_NAME).is_file():
        kind = LABELS_NAME
    elif (root / LIST_NAME).is_file():
        kind = "generated phantom" if _name_of(root / LIST_NAME) == PHANTOM_NAME else LIST_NAME
    else:
        kind = "folder"
    return f"{kind} of {root.name}" if source_names else kind


def _name_of(path: Path) -> object:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # whoever loads the list says so
        return None
    return content.get("name") if isinstance(content, dict) else None
