# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How a detector and its preprocessing are made: one truth for training, evaluation and inference."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from monai_anomaly.guard.input_guard import InputGuard
from monai_anomaly.handlers.training.training_checkpoint import check_spec, load_checkpoint

__all__ = ["check_resumable", "read_guard", "read_map_range", "read_spec"]

logger = logging.getLogger(__name__)


def read_spec(checkpoint: str | os.PathLike[str], bundle_root: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the spec that a checkpoint was trained with; before any training, the one of the bundle's ``train.json``.

    Evaluation and inference build the network and its preprocessing from it, so neither can differ from the training's.

    Args:
        checkpoint: a ``model.pt`` or ``checkpoint.pt``, which need not exist (loading the weights will insist on it).
        bundle_root: the bundle's folder.

    Returns:
        ``detector`` (class name), ``network`` and ``preprocessing`` (arguments), and ``training`` (what a resumed run
        must share).

    Raises:
        CheckpointError: when the checkpoint exists and is damaged or not of this package.
    """
    if os.path.isfile(checkpoint):
        return dict(load_checkpoint(checkpoint)["spec"])
    parser = ConfigParser()
    parser.read_config(Path(bundle_root) / "configs" / "train.json")
    parser["bundle_root"] = os.fspath(bundle_root)
    return dict(parser.get_parsed_content("spec"))


def check_resumable(ckpt_dir: str | os.PathLike[str], spec: Mapping[str, Any]) -> None:
    """Refuse to resume from a checkpoint that is not there or does not fit, before anything is made or written.

    Args:
        ckpt_dir: the folder of the checkpoint.
        spec: how this run's detector and preprocessing are made.

    Raises:
        CheckpointError: naming the file and every difference.
    """
    path = os.path.join(ckpt_dir, "checkpoint.pt")
    check_spec(load_checkpoint(path)["spec"], spec, path)


def read_map_range(checkpoint: str | os.PathLike[str]) -> tuple[float, float]:
    """Return the scale that all heat maps of a trained detector are drawn on; ``(0, 1)`` before any training.

    Raises:
        CheckpointError: when the checkpoint exists and is damaged or not of this package.
    """
    if not os.path.isfile(checkpoint):
        return 0.0, 1.0
    low, high = load_checkpoint(checkpoint).get("map_range", (0.0, 1.0))
    return float(low), float(high)


def read_guard(checkpoint: str | os.PathLike[str]) -> InputGuard | None:
    """Return the input guard of a trained detector; None before any training, and where the checkpoint has none.

    Raises:
        CheckpointError: when the checkpoint exists and is damaged or not of this package, or its guard is.
    """
    state = load_checkpoint(checkpoint).get("guard") if os.path.isfile(checkpoint) else None
    return None if state is None else InputGuard.from_state(state)
