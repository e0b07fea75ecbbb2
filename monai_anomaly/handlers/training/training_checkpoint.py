# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Checkpoints that a killed run can go on from."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch import Tensor

from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.utils.atomic import TEMPORARY_MARK
from monai_anomaly.utils.checkpoint import check_spec, load_checkpoint, save_checkpoint
from monai_anomaly.utils.exceptions import CheckpointError, TrainingError
from monai_anomaly.utils.launches import launch_id
from monai_anomaly.utils.stop_signals import advise

__all__ = ["Stateful", "TrainingCheckpoint"]

logger = logging.getLogger(__name__)


class Stateful(Protocol):
    """Anything with a state of tensors and numbers."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Go back to a state."""


class TrainingCheckpoint:
    """Saves what a run needs to go on.

    ``checkpoint.pt`` is written before the first epoch, after every `interval` epochs and at the end: the detector, the
    objective with its critics and policies, the optimizers, the epoch, the word of ``torchrun`` for its launch and
    whatever else has a state. The one before it stays as ``checkpoint.previous.pt``. It loads with `weights_only=True`.
    Attach it last but for the :class:`~monai_anomaly.handlers.training.detector_writer.DetectorWriter`, so that what it
    saves has passed the trainer's guards.

    Args:
        save_dir: where to write.
        trainer: the trainer to save and resume.
        spec: how the detector and its preprocessing are made, in plain values; kept beside the weights.
        others: further things with a state, by name, such as the metric history.
        interval: epochs between two saves.

    Raises:
        CheckpointError: on resuming, when the file is missing, damaged or of another architecture.
        TrainingError: on saving, when a weight of the detector is not finite.
    """

    def __init__(
        self,
        save_dir: str | os.PathLike[str],
        trainer: ObjectiveTrainer,
        *,
        spec: Mapping[str, Any],
        others: Mapping[str, Stateful] | None = None,
        interval: int = 1,
    ) -> None:
        self.save_dir = Path(save_dir).expanduser()
        self.trainer = trainer
        self.spec = dict(spec)
        self.others = dict(others or {})
        self.interval = interval
        self._resumed = False

    @property
    def path(self) -> Path:
        """The resumable checkpoint."""
        return self.save_dir / "checkpoint.pt"

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        if idist.get_rank() > 0:
            return
        for leftover in self.save_dir.glob(f".*.pt{TEMPORARY_MARK}*"):  # of a run killed in a save
            leftover.unlink()
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.interval), self._save)
        engine.add_event_handler(Events.COMPLETED, self._save)

    def resume(self) -> None:
        """Go back to the last checkpoint; the next ``trainer.run()`` goes on from there."""
        content = load_checkpoint(self.path)
        check_spec(content["spec"], self.spec, os.fspath(self.path))
        missing = sorted({"objective", "optimizers", "trainer"} - content.keys())
        if missing:
            raise CheckpointError(f"'{self.path}' cannot be resumed: it has no {', '.join(missing)}; train anew.")
        try:
            self.trainer.objective.load_state_dict(content["objective"])
            # first, since an optimizer's state goes to where its parameters are
            self.trainer.objective.to(self.trainer.state.device)
            for name, optimizer in self.trainer.optimizers.items():
                optimizer.load_state_dict(content["optimizers"][name])
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"'{self.path}' cannot be resumed: its critics or optimizers are others than this run's "
                f"({str(error).splitlines()[-1].strip()[:200]}); use the settings of its training, or train anew."
            ) from error
        for name, other in self.others.items():
            if name not in content["others"]:
                raise CheckpointError(f"'{self.path}' cannot be resumed: it has no {name}; resume as it was trained.")
            other.load_state_dict(content["others"][name])
        self._resume_trainer(content["trainer"])
        self._resumed = True
        self._advise(content["trainer"]["epoch"])
        logger.info("resumed from epoch %d of %s", content["trainer"]["epoch"], self.path)

    def _resume_trainer(self, state: Mapping[str, int]) -> None:
        epoch_length = self.trainer.state.epoch_length
        if state["epoch_length"] != epoch_length:
            raise CheckpointError(
                f"the checkpoint's epochs have {state['epoch_length']} iterations and this run's {epoch_length}: "
                "resume with the epoch_length it was trained with."
            )
        self.trainer.state.epoch = state["epoch"]
        self.trainer.state.iteration = state["epoch"] * epoch_length

    def _content(self) -> dict[str, Any]:
        # A run that ended within an epoch goes on from that epoch's start, with the weights it ended with.
        state = self.trainer.state
        epoch = min(state.epoch, state.iteration // state.epoch_length)
        model = self.trainer.objective.detector.state_dict()
        _require_finite(model)
        launch = {"launch": launch_id()} if launch_id() else {}
        return {
            "model": model,
            "spec": self.spec,
            "objective": self.trainer.objective.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.trainer.optimizers.items()},
            "others": {name: other.state_dict() for name, other in self.others.items()},
            "trainer": {"epoch": epoch, "epoch_length": state.epoch_length, **launch},
        }

    def _begin(self, engine: Engine) -> None:
        """Keep what stages before this one made, so that a run that ends in its first epoch can go on, too."""
        if not self._resumed:
            self._save(engine)

    def _save(self, _: Engine) -> None:
        content = self._content()
        save_checkpoint(content, self.path, keep=True)
        self._advise(content["trainer"]["epoch"])

    def _advise(self, epoch: int) -> None:
        advise(f"'{self.path}' has the state after epoch {epoch}, to go on from with --resume True")


def _require_finite(model: Mapping[str, Any]) -> None:
    """Refuse to save weights that the last step spoiled, which no loss has shown yet."""
    broken = [name for name, value in model.items() if isinstance(value, Tensor) and not value.isfinite().all()]
    if broken:
        raise TrainingError(
            f"the training diverged: {len(broken)} of {len(model)} tensors of the detector are not finite "
            f"('{broken[0]}' first); the last checkpoint is from before that. Lower the learning rates."
        )
