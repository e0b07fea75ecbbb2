# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What is looked at before a training goes on, and what is done before one starts anew."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import ignite.distributed as idist

from monai_anomaly.utils.checkpoint import check_spec, load_checkpoint, previous_path, set_aside
from monai_anomaly.utils.launches import launch_id, was_restarted

__all__ = ["check_resumable", "goes_on_after_restart", "set_earlier_aside"]


def check_resumable(ckpt_dir: str | os.PathLike[str], spec: Mapping[str, Any]) -> None:
    """Refuse to resume from a checkpoint that is not there or does not fit, before anything is made or written.

    Args:
        ckpt_dir: the folder of the checkpoint.
        spec: how this run's detector and preprocessing are made.

    Raises:
        CheckpointError: naming the file and every difference.
    """
    path = _checkpoint(ckpt_dir)
    check_spec(load_checkpoint(path)["spec"], spec, path)


def goes_on_after_restart(ckpt_dir: str | os.PathLike[str]) -> bool:
    """Return whether ``torchrun`` has started the processes again and there is a checkpoint of the time before.

    A checkpoint of another launch is none to go on from: the failure may have come before this one's first. The
    first process looks and tells the others, so all of them must ask, in a group that is initialized.

    Args:
        ckpt_dir: the folder of the checkpoint.

    Raises:
        CheckpointError: when there is a checkpoint that cannot be read.
    """
    goes_on = False
    if idist.get_rank() == 0 and was_restarted() and os.path.isfile(_checkpoint(ckpt_dir)):
        goes_on = load_checkpoint(_checkpoint(ckpt_dir)).get("trainer", {}).get("launch") == launch_id()
    return bool(idist.broadcast(float(goes_on), src=0))


def set_earlier_aside(ckpt_dir: str | os.PathLike[str]) -> None:
    """Rename what an earlier training left when one starts anew: nothing is lost, or taken for the new one's.

    ``model.pt`` and ``checkpoint.pt`` become ``model.earlier.pt`` and ``checkpoint.earlier.pt``; the checkpoint before
    that goes.

    Args:
        ckpt_dir: the folder of both, which this run has to itself.

    Raises:
        CheckpointError: when they cannot be renamed.
    """
    if idist.get_rank() > 0:
        return
    path = _checkpoint(ckpt_dir)
    previous_path(path).unlink(missing_ok=True)
    set_aside(path)
    set_aside(os.path.join(os.path.dirname(path), "model.pt"))


def _checkpoint(ckpt_dir: str | os.PathLike[str]) -> str:
    return os.path.join(os.path.expanduser(ckpt_dir), "checkpoint.pt")
