# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The card in a detector's file: JSON beside the program."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

from monai_anomaly.utils.exceptions import CheckpointError
from monai_anomaly.utils.exported.archive import read_member
from monai_anomaly.utils.exported.onnx_entries import check_sealed, metadata_entries
from monai_anomaly.utils.seal import check_seal

__all__ = [
    "CARD",
    "ENDINGS",
    "FORMAT",
    "foreign",
    "format_of",
    "has_calibration",
    "is_deliverable",
    "plain_card",
    "read_card_entry",
]

CARD = "monai_anomaly.json"
"""Its name in the file."""
FORMAT = "monai_anomaly detector"
"""What it says of itself."""
ENDINGS = ("onnx", "pt2", "ts")
"""Of detectors' files."""


def format_of(path: str | os.PathLike[str]) -> str:
    """Return a path's ending without its dot, in small letters."""
    return Path(path).suffix.removeprefix(".").lower()


def is_deliverable(path: str | os.PathLike[str]) -> bool:
    """Return whether a path names a detector's file and no checkpoint, by its ending."""
    return format_of(path) in ENDINGS


def read_card_entry(path: str | os.PathLike[str]) -> tuple[bytes, str]:
    """Return the bytes of a detector's file, which are those that were written, and its card's text.

    Args:
        path: an existing file whose ending is one of :data:`ENDINGS`.

    Raises:
        CheckpointError: when it is damaged, or something else wrote it.
    """
    data, is_onnx = Path(path).read_bytes(), format_of(path) == "onnx"
    if not (check_sealed(data) if is_onnx else check_seal(io.BytesIO(data))[0]):
        raise foreign(path)
    try:
        entry = metadata_entries(data).get(CARD) if is_onnx else read_member(io.BytesIO(data), f"extra/{CARD}")
        text = entry.decode("utf-8") if isinstance(entry, bytes) else entry
    except (ValueError, zipfile.BadZipFile) as error:
        raise foreign(path) from error
    if text is None:
        raise foreign(path)
    return data, text


def plain_card(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what the card says, with its tensors as they are written; who scores by it reads it whole.

    Raises:
        CheckpointError: as :func:`read_card_entry`.
    """
    try:
        content = json.loads(read_card_entry(path)[1])
    except (ValueError, RecursionError) as error:
        raise foreign(path) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("spec"), dict):
        raise foreign(path)
    return content


def has_calibration(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is that of a detector's file with a calibration in it.

    Raises:
        CheckpointError: for a detector's file that is damaged.
    """
    return is_deliverable(path) and os.path.isfile(path) and plain_card(path).get("calibration") is not None


def foreign(path: str | os.PathLike[str]) -> CheckpointError:
    """Return the error of a file that something else wrote."""
    return CheckpointError(
        f"'{os.fspath(path)}' is damaged or no detector that 'monai-anomaly export' wrote: export the checkpoint "
        "again, or name another file."
    )
