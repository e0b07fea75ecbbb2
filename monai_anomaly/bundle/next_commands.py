# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What to type after a training."""

from __future__ import annotations

import shlex
from pathlib import Path

from fire.parser import DefaultParseValue

from monai_anomaly.utils.bundle_folders import find_bundle_root

__all__ = ["command_after", "training_files"]

PROGRAM = ("python", "-m", "monai.bundle", "run")


def command_after(
    role: str,
    *,
    bundle_root: str,
    output_dir: str,
    ckpt_dir: str,
    dataset_dir: str | None = None,
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
        source_names: likewise.
        device: likewise; None for the bundle's default.
    """
    root = Path(bundle_root)
    options: dict[str, str] = {}
    if Path(find_bundle_root(root.resolve().name)).resolve() != root.resolve():
        options["bundle_root"] = _typed(bundle_root)
    if dataset_dir is not None:
        options["dataset_dir"] = _typed(dataset_dir)
    if Path(ckpt_dir) != root / "models":
        options["checkpoint"] = _typed(str(Path(ckpt_dir) / "model.pt"))
    if role == "evaluate" and Path(output_dir) != root / "output":
        options["output_dir"] = _typed(output_dir)
    if source_names:
        options["source_names"] = "True"
    if device is not None:
        options["device"] = device
    verb = ["calibrate"] if role == "calibrate" else []
    words = [*PROGRAM, *verb, "--config_file", (root / "configs" / f"{role}.json").as_posix()]
    return shlex.join([*words, *(word for key, value in options.items() for word in (f"--{key}", value))])


def training_files(bundle_root: str, overlay: str) -> str:
    """Return the words that lay an overlay over a bundle's training."""
    folder = Path(bundle_root) / "configs"
    return f"--config_file \"['{(folder / 'train.json').as_posix()}','{(folder / overlay).as_posix()}']\""


def _typed(path: str) -> str:
    """Return the text that MONAI's command line reads as this path: a folder 2024 would be a number."""
    return path if DefaultParseValue(path) == path else repr(path)
