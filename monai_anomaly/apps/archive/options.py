# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What decides about the scoring of an archive; nothing heavy is imported for it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ArchiveOptions", "RunOptions"]


@dataclass(frozen=True)
class ArchiveOptions:
    """How an archive is scored; the keys of a bundle's inference have these names and meanings, too.

    Args:
        checkpoint: the trained detector, at the same path on every machine.
        calibration: its calibration; None takes the one beside it.
        uncalibrated: write scores alone.
        false_alarm_rate: of the decisions, in (0, 1).
        guard: whether the input guard is asked.
        maps: ``"png"``, ``"npz"``, ``"nifti"`` or ``"none"``.
        device: None takes a GPU for each worker where there are any.
        batch_size: frames that are scored together.
        decode_limit: seconds of computing for a file, in a process of its own; None decodes in the worker.
        frames: which frames of a cine; None takes the training's rule.
        aggregate: how the frames' scores make one.
        source_names: name files as they are called, in place of keyed hashes.
        threads: of PyTorch, and cores, of each worker.
    """

    checkpoint: str
    calibration: str | None = None
    uncalibrated: bool = False
    false_alarm_rate: float = 0.1
    guard: bool = True
    maps: str = "png"
    device: str | None = None
    batch_size: int = 32
    decode_limit: float | None = 10
    frames: str | None = None
    aggregate: str = "max"
    source_names: bool = False
    threads: int = 1


@dataclass(frozen=True)
class RunOptions:
    """How the work is dealt out.

    Args:
        workers: processes that score; None takes one for each GPU, else for each core.
        shard_size: files of a shard, which is written, and lost, as a whole.
        resume: go on with what the output has.
        address: of a Ray cluster; None starts Ray on this machine alone, for this run.
        gpus_per_worker: of each worker; None takes one where there are any.
        object_store_mib: memory for what goes between processes, on this machine.
    """

    workers: int | None = None
    shard_size: int = 1000
    resume: bool = False
    address: str | None = None
    gpus_per_worker: float | None = None
    object_store_mib: int = 256
