# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What to type so that an evaluation has decisions, too."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from fire.parser import DefaultParseValue

from monai_anomaly.bundle.command_line import read_command_line
from monai_anomaly.utils.config_files import read_configs

__all__ = ["calibrate_command"]

OWN_KEYS = ("section", "calibration", "uncalibrated")
"""Of the evaluation: its section must not calibrate, and its calibration is not there."""


def calibrate_command(
    bundle_root: str | os.PathLike[str], checkpoint: str | os.PathLike[str], dataset_dir: str | os.PathLike[str]
) -> str:
    """Return the line that calibrates what an evaluation evaluates, as it was told to, to copy into a shell.

    Args:
        bundle_root: the bundle, where this program is not ``python -m monai.bundle``, which knows the file.
        checkpoint: the weights to calibrate.
        dataset_dir: the data set whose held-out normals calibrate.
    """
    arguments = read_command_line()
    files = arguments.get("config_file") or Path(bundle_root) / "configs" / "evaluate.json"
    file = Path(files[0] if isinstance(files, (list, tuple)) else str(files)).with_name("calibrate.json")
    known = set(read_configs([file])) - set(OWN_KEYS) if file.is_file() else set()
    told: dict[str, Any] = {"checkpoint": os.fspath(checkpoint), "dataset_dir": os.fspath(dataset_dir)}
    if arguments:  # what the command line leaves as it is, is the same for both
        told = {key: value for key, value in arguments.items() if key.replace("#", "::").split("::")[0] in known}
    words = ["python", "-m", "monai.bundle", "run", "calibrate", "--config_file", file.as_posix()]
    return shlex.join([*words, *(word for key, value in told.items() for word in (f"--{key}", _typed(value)))])


def _typed(value: Any) -> str:
    """Return the text that MONAI's command line reads as this value: a folder 2024 would be a number."""
    text = str(value)
    return text if DefaultParseValue(text) == value else repr(value)
