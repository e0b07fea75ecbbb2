# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The weights of the best epoch, for a model that is not the last one."""

from __future__ import annotations

import copy
import logging
from typing import Any

from ignite.engine import Engine, Events
from torch import nn

from monai_anomaly.utils.checkpoint import to_cpu

__all__ = ["BestWeights"]

logger = logging.getLogger(__name__)


class BestWeights:
    """Keeps a network's weights of the epoch with the highest key metric; of equal ones, of the first.

    Attach it to the validator (one of its handlers) and give it to
    :class:`~monai_anomaly.handlers.training.training_checkpoint.TrainingCheckpoint` as ``choice``, which puts the
    weights back before it writes ``model.pt``, and among its ``others``, so that a resumed run chooses as an
    uninterrupted one. An epoch whose metric is not a number is passed over. MONAI's ``CheckpointSaver`` would write the
    best weights to a file of their own, which knows neither spec nor map range.

    Args:
        network: the network to watch.
        metric: what the metric is, in words, for the report.
    """

    def __init__(self, network: nn.Module, *, metric: str) -> None:
        self.network = network
        self.metric = metric
        self.value: float | None = None
        self.epoch = 0
        self.scored = 0
        self._weights: dict[str, Any] = {}

    def attach(self, engine: Engine) -> None:
        """Attach to a validator with a key metric."""
        engine.add_event_handler(Events.COMPLETED, self._look)

    @property
    def rule(self) -> str:
        """How the weights were chosen, in words for a report."""
        if self.value is None:
            return f"the last iteration, as no epoch had {self.metric}; no label was looked at"
        return (
            f"epoch {self.epoch}, the best of {self.scored} by {self.metric} ({self.value:.4f}); "
            "no abnormal label was looked at"
        )

    def put_back(self) -> None:
        """Give the best epoch's weights to the network; the last ones stay where there is no best epoch."""
        if self.value is not None:
            self.network.load_state_dict(self._weights)
            logger.info("the model is that of %s", self.rule)

    def state_dict(self) -> dict[str, Any]:
        """Weights, metric and epoch of the best epoch so far."""
        return {"value": self.value, "epoch": self.epoch, "scored": self.scored, "weights": dict(self._weights)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.value, self.epoch, self.scored = state["value"], state["epoch"], state["scored"]
        self._weights = dict(state["weights"])

    def _look(self, engine: Engine) -> None:
        name = getattr(engine.state, "key_metric_name", None)
        if name is None:
            raise ValueError("BestWeights needs a validator with a key metric; give it key_val_metric.")
        value = float(engine.state.metrics[name])
        if value != value:
            return
        self.scored += 1
        if self.value is None or value > self.value:
            self.value, self.epoch = value, int(engine.state.epoch)
            self._weights = copy.deepcopy(to_cpu(self.network.state_dict()))
