# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What MLflow gets beside what MONAI's ``--tracking mlflow`` writes.

That sets up an experiment and a run, and writes the loss of each iteration and the metrics of each validation. With
this, a run can be compared with others by its parameters and all terms of its loss, and has what it left for people.
"""

from __future__ import annotations

import json
import math
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from monai.handlers import MLFlowHandler
from monai.utils import optional_import

from monai_anomaly.handlers.training.metric_history import MetricHistory

__all__ = ["Tracking"]

NO_METRICS = ("epoch", "iteration")
EVALUATED = ("auroc", "average_precision")
AT_ONCE = 100
"""Most parameters that MLflow takes at once."""
LONGEST = 6000
"""Characters that MLflow keeps of a parameter."""


class Tracking:
    """Adds parameters, each epoch's numbers and the files of a run to the MLflow run that MONAI's handler has made.

    Without such a handler it does nothing. Attach it to the engine last, so that what it takes is there.

    Args:
        handlers: of the engine; MONAI's is among them where the run is tracked.
        parameters: how the detector is made and trained, by section, as a checkpoint's spec.
        settings: further parameters.
        output_dir: the folder of the files.
        files: names of files there, which are kept where they are when the engine completes.
        history: the numbers of each epoch, which get the names and the values of ``history.csv``.
    """

    def __init__(
        self,
        handlers: Sequence[Any],
        *,
        parameters: Mapping[str, Any],
        output_dir: str | Path,
        files: Sequence[str],
        settings: Mapping[str, Any] | None = None,
        history: MetricHistory | None = None,
    ) -> None:
        self.handler = next((handler for handler in handlers if isinstance(handler, MLFlowHandler)), None)
        sections = [part if isinstance(part, Mapping) else {name: part} for name, part in parameters.items()]
        self.parameters = {name: value for part in [*sections, settings or {}] for name, value in _flat(part)}
        self.output_dir = Path(output_dir).expanduser()
        self.files = list(files)
        self.history = history
        self._run_id = ""
        self._epochs: set[int] = set()

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer or evaluator."""
        if self.handler is None:
            return
        engine.add_event_handler(Events.STARTED, self._begin)
        if self.history is not None:
            engine.add_event_handler(Events.EPOCH_COMPLETED, self._log_epochs)
        engine.add_event_handler(Events.COMPLETED, self._end)

    @property
    def _client(self) -> Any:
        assert self.handler is not None  # attached only then
        return self.handler.client

    def _begin(self, _: Engine) -> None:
        """Write the parameters; MONAI's handler takes up a run that was killed, which has them."""
        assert self.handler is not None and self.handler.cur_run is not None
        self._run_id = self.handler.cur_run.info.run_id
        param, _ = optional_import("mlflow.entities", name="Param")  # here, since few runs are tracked
        known = self._client.get_run(self._run_id).data.params
        new = [param(k, str(v)[:LONGEST]) for k, v in self.parameters.items() if k not in known]
        for start in range(0, len(new), AT_ONCE):
            self._client.log_batch(self._run_id, params=new[start : start + AT_ONCE])
        if self.history is not None:
            self._epochs = {metric.step for metric in self._client.get_metric_history(self._run_id, "loss")}

    def _log_epochs(self, _: Engine) -> None:
        """Write the rows of the history that the run does not have, also those from before a run was resumed."""
        assert self.history is not None
        for row in self.history.rows:
            if int(row["epoch"]) not in self._epochs:
                self._log({k: v for k, v in row.items() if k not in NO_METRICS}, int(row["epoch"]))
                self._epochs.add(int(row["epoch"]))

    def _log(self, numbers: Mapping[str, float], step: int) -> None:
        metric, _ = optional_import("mlflow.entities", name="Metric")
        now = int(1000 * time.time())
        found = [metric(name, value, now, step) for name, value in numbers.items() if not math.isnan(value)]
        self._client.log_batch(self._run_id, metrics=found)

    def _end(self, _: Engine) -> None:
        """Keep the files, to which a run is open that MONAI's handler has closed, and say how to look at them."""
        configs = sorted(self.output_dir.glob("config_*.json"))[-1:]  # MONAI names what was run by its time
        for path in [*(self.output_dir / name for name in self.files), *configs]:
            if path.is_file():
                self._client.log_artifact(self._run_id, str(path))
        if "metrics.json" in self.files:
            numbers = json.loads((self.output_dir / "metrics.json").read_text(encoding="utf-8"))
            self._log({name: numbers[name] for name in EVALUATED}, 0)
        uri = str(self._client.tracking_uri)
        if uri.startswith("sqlite:"):  # a server's may have a password in it, and its user knows where it is
            print(f"MLflow: mlflow ui --backend-store-uri {shlex.quote(uri)}", flush=True)
        if self.handler is not None:
            self.handler.close()  # the data base, once more


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the names and values of settings, those inside others as ``generator.channels``."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
