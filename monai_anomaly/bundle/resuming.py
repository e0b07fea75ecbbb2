# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What is looked at before a training goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from monai_anomaly.utils.checkpoint import check_spec, load_checkpoint

__all__ = ["check_resumable"]


def check_resumable(ckpt_dir: str | os.PathLike[str], spec: Mapping[str, Any]) -> None:
    """Refuse to resume from a checkpoint that is not there or does not fit, before anything is made or written.

    Args:
        ckpt_dir: the folder of the checkpoint.
        spec: how this run's detector and preprocessing are made.

    Raises:
        CheckpointError: naming the file and every difference.
    """
    path = os.path.join(os.path.expanduser(ckpt_dir), "checkpoint.pt")
    check_spec(load_checkpoint(path)["spec"], spec, path)
