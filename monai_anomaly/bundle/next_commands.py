# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What to type after a training, and after an evaluation without decisions."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fire.parser import DefaultParseValue

from monai_anomaly.bundle.command_line import read_command_line
from monai_anomaly.utils.bundle_folders import find_bundle_root
from monai_anomaly.utils.config_files import read_configs

__all__ = ["calibrate_command", "command_after", "training_files"]

PROGRAM = ("python", "-m", "monai.bundle", "run")
OWN_KEYS = ("section", "calibration", "uncalibrated")
"""Of the evaluation: its section must not calibrate, and its calibration is not there."""


def command_after(
    role: str,
    *,
    bundle_root: str,
    output_dir: str,
    ckpt_dir: str,
    dataset_dir: str | None = None,
    allow_outside: str | None = None,
    source_names: bool = False,
    device: str | None = None,
) -> str:
    """Return the line that calibrates or evaluates what a run of a bundle trained, to copy into a shell.

    Args:
        role: ``calibrate`` or ``evaluate``.
        bundle_root: as the training had it.
        output_dir: likewise; left out where it is the bundle's own.
        ckpt_dir: likewise.
        dataset_dir: likewise; None for the bundle's phantom.
        allow_outside: likewise.
        source_names: likewise.
        device: likewise; None for the bundle's default.
    """
    root = Path(bundle_root)
    options: dict[str, str] = {}
    if Path(find_bundle_root(root.resolve().name)).resolve() != root.resolve():
        options["bundle_root"] = _typed(bundle_root)
    if dataset_dir is not None:
        options["dataset_dir"] = _typed(dataset_dir)
    if allow_outside is not None:
        options["allow_outside"] = _typed(allow_outside)
    if Path(ckpt_dir) != root / "models":
        options["checkpoint"] = _typed(str(Path(ckpt_dir) / "model.pt"))
    if role == "evaluate" and Path(output_dir) != root / "output":
        options["output_dir"] = _typed(output_dir)
    if source_names:
        options["source_names"] = "True"
    if device is not None:
        options["device"] = device
    return _line(role, root / "configs" / f"{role}.json", options)


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
    return _line("calibrate", file, {key: _typed(value) for key, value in told.items()})


def training_files(bundle_root: str, overlay: str) -> str:
    """Return the words that lay an overlay over a bundle's training."""
    folder = Path(bundle_root) / "configs"
    return f"--config_file \"['{(folder / 'train.json').as_posix()}','{(folder / overlay).as_posix()}']\""


def _line(role: str, file: Path, options: Mapping[str, str]) -> str:
    """Return the line of a run with a configuration, to copy into a shell."""
    words = [*PROGRAM, *(["calibrate"] if role == "calibrate" else []), "--config_file", file.as_posix()]
    return shlex.join([*words, *(word for key, value in options.items() for word in (f"--{key}", value))])


def _typed(value: Any) -> str:
    """Return the text that MONAI's command line reads as this value: a folder 2024 would be a number."""
    text = str(value)
    return text if DefaultParseValue(text) == value else repr(value)
