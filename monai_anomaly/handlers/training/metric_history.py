# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The numbers of every epoch, kept with the checkpoint and as a table."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events

from monai_anomaly.handlers.training.scalars import scalars
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.spreadsheet import csv_text

__all__ = ["MetricHistory"]


class MetricHistory:
    """Records, for every epoch, the mean of each number in the trainer's output and the latest metrics.

    Metrics are the trainer's own, such as the numbers of a solution, and those of the validation.

    It is part of the resumable state, so the table of a resumed run is the table of an uninterrupted one.

    Args:
        path: where to write the table (CSV) after each epoch; nothing is written if ``None``.
        validator: the evaluator whose metrics to record, if there is one.
    """

    def __init__(self, path: str | Path | None = None, *, validator: Engine | None = None) -> None:
        self.path = None if path is None else Path(path).expanduser()
        self.validator = validator
        self.rows: list[dict[str, float]] = []
        self._sums: dict[str, Any] = {}
        self._count = 0

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer, after the handler that validates."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._reset)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._close_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the rows so far, as plain numbers."""
        return {"rows": [dict(row) for row in self.rows]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from saved rows."""
        self.rows = [dict(row) for row in state["rows"]]

    def _reset(self, _: Engine) -> None:
        self._sums, self._count = {}, 0

    def _add(self, engine: Engine) -> None:
        for name, value in scalars(engine.state.output).items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1

    def _close_epoch(self, engine: Engine) -> None:
        row = {"epoch": float(engine.state.epoch), "iteration": float(engine.state.iteration)}
        row |= {name: float(total) / self._count for name, total in self._sums.items()}
        row |= {name: float(v) for name, v in engine.state.metrics.items() if _is_number(v)}
        if self.validator is not None and self._validated(engine):
            row |= {f"val_{k}": float(v) for k, v in self.validator.state.metrics.items() if _is_number(v)}
        # A run goes on from the start of an epoch that a time budget ended early: that epoch's row is then made anew.
        self.rows = [earlier for earlier in self.rows if earlier["epoch"] < row["epoch"]] + [row]
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(self.path, self.table())

    def _validated(self, engine: Engine) -> bool:
        """Whether the validator ran in this epoch: its metrics would otherwise be an earlier epoch's."""
        epoch = self.validator.state.epoch if self.validator is not None else 0
        return bool(epoch == engine.state.epoch)

    def table(self) -> str:
        """Return the rows as CSV."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        return csv_text(names, ({k: _plain(v) for k, v in row.items()} for row in self.rows))


def _plain(value: float) -> float | int | str:
    if math.isnan(value):
        return ""
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, torch.Tensor) and value.numel() == 1)
