# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The losses of a training as curves over its epochs, and as a table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import ignite.distributed as idist
from ignite.engine import Engine, Events

from monai_anomaly.handlers.training.metric_history import MetricHistory
from monai_anomaly.report.loss_chart import draw_losses
from monai_anomaly.utils.atomic import atomic_write

__all__ = ["LossCurves"]

logger = logging.getLogger(__name__)

_NOT_LOSSES = frozenset({"epoch", "iteration"})


class LossCurves:
    """Draws ``loss_curves.svg`` and writes ``losses.csv``, each epoch's mean of each loss, from the metric history.

    Nothing is collected here: :class:`~monai_anomaly.handlers.training.metric_history.MetricHistory` has the numbers
    and is resumed with the checkpoint, so the curves of a resumed run are whole. Both files are written at the end,
    too, and are never seen half written. TensorBoard shows the same curves while it runs, but leaves no picture.

    Args:
        output_dir: folder of both files; it is made.
        history: the trainer's history, attached before this.
        interval: epochs between two drawings.
        names: columns of the history to show, in order, such as ``val_kl`` for a validation metric; None takes every
            number of the trainer's output.

    Raises:
        ValueError: when the interval is below 1, or `names` is empty.
    """

    def __init__(
        self,
        output_dir: str | Path,
        history: MetricHistory,
        *,
        interval: int = 1,
        names: Sequence[str] | None = None,
    ) -> None:
        if interval < 1:
            raise ValueError(f"interval must be at least 1, got {interval}.")
        if names is not None and (isinstance(names, str) or not names):
            raise ValueError(f"names must list columns of the history, or be None for all losses, got {names!r}.")
        self.output_dir = Path(output_dir).expanduser()
        self.history = history
        self.interval = interval
        self.names = None if names is None else list(names)

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, after the history; of several processes the first one writes."""
        if idist.get_rank() > 0:
            return
        engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.interval), self)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def __call__(self, _: Engine) -> None:
        """Write both files; nothing before the first epoch's end."""
        rows = self.history.rows
        if not rows:
            return
        names = self._columns()
        table = MetricHistory()
        table.rows = [{name: row[name] for name in ("epoch", *names) if name in row} for row in rows]
        self.output_dir.mkdir(parents=True, exist_ok=True)
        atomic_write(self.output_dir / "losses.csv", table.table())
        atomic_write(self.output_dir / "loss_curves.svg", draw_losses(rows, names))

    def _finish(self, engine: Engine) -> None:
        self(engine)
        missing = sorted(set(self.names or ()) - {name for row in self.history.rows for name in row})
        if missing:
            logger.warning("no epoch has a number called %s, so that no curve shows it", ", ".join(missing))

    def _columns(self) -> list[str]:
        known = dict.fromkeys(name for row in self.history.rows for name in row)
        if self.names is not None:
            return [name for name in self.names if name in known]
        return [name for name in known if name not in _NOT_LOSSES and not name.startswith("val_")]
