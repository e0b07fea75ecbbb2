# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Detectors' files, opened without their bundle."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from monai_anomaly.bundle.deliverable.archive import read_member
from monai_anomaly.bundle.deliverable.card import CARD, foreign, read_card_text
from monai_anomaly.bundle.deliverable.exported_detector import Program
from monai_anomaly.bundle.deliverable.onnx_entries import check_sealed, metadata_entries
from monai_anomaly.bundle.deliverable.onnx_file import OnnxProgram
from monai_anomaly.bundle.deliverable.program_file import ExportProgram
from monai_anomaly.bundle.deliverable.script_file import ScriptProgram
from monai_anomaly.utils.checkpoint import require_checkpoint
from monai_anomaly.utils.exceptions import CheckpointError, ConfigError
from monai_anomaly.utils.seal import check_seal

__all__ = ["FORMATS", "Deliverable", "is_deliverable", "read_card", "read_deliverable"]

FORMATS: Mapping[str, Callable[[bytes], Program]] = {"onnx": OnnxProgram, "pt2": ExportProgram, "ts": ScriptProgram}
"""What opens a file of each ending."""


class Deliverable(NamedTuple):
    """What a detector's file holds.

    Args:
        card: what it says.
        program: makes the program that computes; nothing of the file runs before.
    """

    card: dict[str, Any]
    program: Callable[[], Program]


def is_deliverable(path: str | os.PathLike[str]) -> bool:
    """Return whether a path names a detector's file and no checkpoint, by its ending."""
    return _format(path) in FORMATS


def read_card(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a detector's file says; nothing of it runs.

    Raises:
        CheckpointError: when there is no such file, it is damaged, or something else wrote it.
    """
    return read_deliverable(path).card


def read_deliverable(path: str | os.PathLike[str]) -> Deliverable:
    """Open a detector's file.

    Raises:
        CheckpointError: when there is no such file, it is damaged, or something else wrote it.
    """
    require_checkpoint(path)
    data, kind = Path(path).read_bytes(), _format(path)
    intact = check_sealed(data) if kind == "onnx" else check_seal(io.BytesIO(data))[0]
    if not intact:
        raise foreign(path)
    try:
        text = metadata_entries(data).get(CARD) if kind == "onnx" else read_member(io.BytesIO(data), f"extra/{CARD}")
    except (ValueError, zipfile.BadZipFile) as error:
        raise foreign(path) from error
    if text is None:
        raise foreign(path)

    def program() -> Program:
        try:
            return FORMATS[kind](data)
        except ConfigError:
            raise
        except Exception as error:  # PyTorch raises whatever a strange file makes it stumble over
            reason = (str(error).splitlines() or [""])[0].strip()[:120]
            raise CheckpointError(
                f"the program of '{os.fspath(path)}' cannot be opened here ({reason}): export it again with this "
                "version, and open no file of somebody you do not trust."
            ) from error

    return Deliverable(read_card_text(text, path), program)


def _format(path: str | os.PathLike[str]) -> str:
    return Path(path).suffix.removeprefix(".").lower()
