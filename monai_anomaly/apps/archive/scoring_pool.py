# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Ray Data's pool of workers, each of which holds the detector, and the shards that go through it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from tqdm.auto import tqdm

from monai_anomaly.apps.archive.cluster import count_gpus
from monai_anomaly.apps.archive.options import ArchiveOptions, RunOptions
from monai_anomaly.apps.archive.shard_scorer import ShardScorer
from monai_anomaly.apps.archive.shards import Shard
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["score_shards"]

QUEUE_FROM = 8
"""Shards for each worker from which on it has its next one beside it."""

ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""Ray's workers compute in a thread of theirs, whose own part of the C library's memory goes back to the system from
time to time, whatever :func:`.keep_freed_memory` asks for: in some of them a third of the computing."""


def score_shards(
    shards: Sequence[Shard], options: ArchiveOptions, run: RunOptions, *, device: str, **more: Any
) -> None:
    """Let Ray's workers score shards, each as soon as one of them is free.

    Ray starts a worker that ended anew, and gives it the same shard again.

    Args:
        shards: those without records.
        options: how they are scored.
        run: how the work is dealt out.
        device: where.
        **more: the other arguments of :class:`.ShardScorer`.

    Raises:
        ConfigError: when a shard cannot be done, with the worker's sentence, or Ray ends.
    """
    import ray.data
    from ray.exceptions import RayError

    gpus = run.gpus_per_worker if run.gpus_per_worker is not None else float(device.startswith("cuda"))
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    workers = min(run.workers or _room(options.threads, gpus), len(shards))
    # one row in a block: a shard is what goes to a worker, and what is done again
    rows = ray.data.from_items([{"shard": shard.pack()} for shard in shards], override_num_blocks=len(shards))
    answers = rows.map_batches(
        ShardScorer,
        fn_constructor_args=(options, device),
        fn_constructor_kwargs=more,
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(
            size=workers, max_tasks_in_flight_per_actor=_shards_at_a_worker(len(shards), workers)
        ),
        num_cpus=options.threads,
        num_gpus=gpus,
        runtime_env={"env_vars": ONE_ARENA},
    )
    total = sum(len(shard.items) for shard in shards)
    try:
        with tqdm(total=total, desc="scoring", unit="image") as bar:
            for row in answers.iter_rows():
                if row["problem"]:
                    raise ConfigError(f"{row['problem'].rstrip('.')}; what is done stays, to go on from with --resume.")
                bar.update(row["files"])
    except RayError as error:
        raise ConfigError(
            f"Ray ended the run ({type(error).__name__}); what is done stays, to go on from with --resume."
        ) from None


def _shards_at_a_worker(shards: int, workers: int) -> int:
    """Return how many shards a worker has: the one that it scores, and perhaps the next one.

    Ray Data looks at several workers every tenth of a second only, and one that is done waits for two looks. Where
    there are few shards, one that waits at a worker leaves others without work at the end, which takes longer.
    """
    return 2 if shards >= QUEUE_FROM * workers else 1


def _room(threads: int, gpus: float) -> int:
    """Return how many workers there is room for."""
    import ray

    by_cores = int(ray.cluster_resources().get("CPU", 1)) // threads
    return max(1, min(by_cores, int(count_gpus() / gpus)) if gpus else by_cores)
