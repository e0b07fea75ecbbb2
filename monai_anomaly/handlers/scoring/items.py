# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""What reports and writers read from an evaluator after each iteration."""

from __future__ import annotations

from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine

__all__ = ["count_inputs", "evaluated_items", "require_single_process"]


def evaluated_items(engine: Engine) -> list[dict[str, Any]]:
    """Return the images of this iteration: input keys (``name``, ``group``, ``mask``, ...) joined by the output keys.

    MONAI leaves untouched input keys in ``engine.state.batch`` and puts new ones into ``engine.state.output``.

    Raises:
        TypeError: when the evaluator does not decollate, so that there are no single images.
    """
    batch, output = engine.state.batch, engine.state.output
    if not isinstance(output, list) or not isinstance(batch, list):
        raise TypeError("Reports and writers need single images; build the evaluator with decollate=True.")
    # The evaluator sets "label" to None when the batch's labels are no tensor; do not let that hide them.
    return [{**b, **{k: v for k, v in o.items() if v is not None}} for b, o in zip(batch, output, strict=True)]


def require_single_process(what: str) -> None:
    """Raise a RuntimeError in a distributed run, where every process sees a part of the images only."""
    if idist.get_world_size() > 1:
        raise RuntimeError(
            f"{what} needs to see every image; run evaluation and inference in one process, no torchrun."
        )


def count_inputs(engine: Engine, otherwise: int) -> int:
    """Length of the evaluator's data set; ``otherwise`` when it has none, as a stream."""
    dataset: Any = getattr(getattr(engine, "data_loader", None), "dataset", None)
    return len(dataset) if hasattr(dataset, "__len__") else otherwise
