# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Detectors' files, opened without their bundle."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from monai_anomaly.bundle.deliverable.card import read_card_text
from monai_anomaly.bundle.deliverable.exported_detector import Program
from monai_anomaly.bundle.deliverable.onnx_file import OnnxProgram
from monai_anomaly.bundle.deliverable.program_file import ExportProgram
from monai_anomaly.bundle.deliverable.script_file import ScriptProgram
from monai_anomaly.utils.checkpoint import require_checkpoint
from monai_anomaly.utils.exceptions import CheckpointError, ConfigError
from monai_anomaly.utils.exported.card_entry import format_of, read_card_entry

__all__ = ["FORMATS", "Deliverable", "read_card", "read_deliverable"]

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
    (data, text), kind = read_card_entry(path), format_of(path)

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
