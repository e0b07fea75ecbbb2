# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The trained detector as a file."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn

from monai_anomaly.data.sets.duplicates import fingerprint
from monai_anomaly.guard.input_guard import InputGuard
from monai_anomaly.handlers.training.map_range import fit_map_range
from monai_anomaly.handlers.training.time_budget import TimeBudget
from monai_anomaly.utils.checkpoint import check_spec, equal_weights, load_checkpoint, save_checkpoint, set_aside
from monai_anomaly.utils.exceptions import CheckpointError
from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["DetectorWriter", "WeightChoice"]

logger = logging.getLogger(__name__)


class WeightChoice(Protocol):
    """Chooses other weights than the last ones; see :mod:`monai_anomaly.handlers.training.best_weights`."""

    def put_back(self) -> None:
        """Give the chosen weights to the detector."""

    @property
    def rule(self) -> str:
        """How they were chosen, in words for a report."""


class DetectorWriter:
    """Writes ``model.pt`` when a training completes: the detector, and what others must know of its training.

    Attach it after the :class:`~monai_anomaly.handlers.training.training_checkpoint.TrainingCheckpoint`, which saves
    the weights of the last iteration. It loads with `weights_only=True`; see
    :class:`~monai_anomaly.bundle.trained_detector.TrainedDetector`.

    A ``model.pt`` that is there is never that of another training: it becomes ``model.earlier.pt`` when one starts. A
    training that is resumed at its end writes what a kill kept it from writing, and leaves what is there already.

    Args:
        save_dir: where to write.
        network: the detector.
        spec: how the detector and its preprocessing are made, in plain values.
        normals: training normals ``(N, C, H, W)``: the range of their maps is kept, so that every heat map of this
            detector is drawn on one scale. None leaves range and guard out.
        normal_scores: gives the scores ``(N,)`` of the normals by detectors that have not seen them, for a method whose
            own scores of them are too low; see :func:`~monai_anomaly.handlers.training.map_range.fit_map_range`.
        facts: of each of the normals (see :mod:`monai_anomaly.data.picture_facts`) and its ``group``: an input guard is
            fitted and kept. None leaves it out.
        pixel_hashes: of each image that was trained on (see :func:`monai_anomaly.data.sets.duplicates.pixel_hash`):
            their fingerprints are kept, so that no calibration takes a training image for a new one.
        data: what is to be said of the training data, numbers and texts by name.
        member_guards: of a consensus, the state of each member's input guard by its name.
        choice: chooses the weights; None takes those of the last iteration.
        budget: what the training had: where it cut the recipe short, ``data`` says so under ``unfinished``.
    """

    def __init__(
        self,
        save_dir: str | os.PathLike[str],
        network: nn.Module,
        *,
        spec: Mapping[str, Any],
        normals: ImageSequence | None = None,
        normal_scores: Callable[[], Tensor] | None = None,
        facts: Sequence[Mapping[str, Any]] | None = None,
        pixel_hashes: Sequence[str] | None = None,
        data: Mapping[str, int | str] | None = None,
        member_guards: Mapping[str, Any] | None = None,
        choice: WeightChoice | None = None,
        budget: TimeBudget | None = None,
    ) -> None:
        self.path = Path(save_dir).expanduser() / "model.pt"
        self.network = network
        self.spec = dict(spec)
        self.normals = normals
        self.normal_scores = normal_scores
        self.facts = facts
        self.pixel_hashes = pixel_hashes
        self.data = dict(data or {})
        self.member_guards = member_guards
        self.choice = choice
        self.budget = budget

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, in the first process."""
        if idist.get_rank() == 0:
            engine.add_event_handler(Events.STARTED, self._begin)
            engine.add_event_handler(Events.COMPLETED, self)

    def _begin(self, engine: Engine) -> None:
        if engine.state.epoch < (engine.state.max_epochs or 0):
            set_aside(self.path)

    def __call__(self, _: Engine) -> None:
        """Choose the weights and write them, unless that was done."""
        data = self.data
        if self.choice is not None:
            self.choice.put_back()
        if self._is_written():
            logger.info("the trained detector was in %s already", self.path)
            return
        if self.choice is not None:
            data = data | {"checkpoint rule": self.choice.rule}
        if self.budget is not None and self.budget.unfinished:
            data = data | {"unfinished": self.budget.unfinished}
        content = {"model": self.network.state_dict(), "spec": self.spec, "data": data, **self._normality()}
        save_checkpoint(content, self.path)
        logger.info("the trained detector is in %s", self.path)

    def _is_written(self) -> bool:
        """Whether the file has these weights; one of other weights is put aside, and a damaged one is written anew."""
        if not self.path.is_file():
            return False
        try:
            found = load_checkpoint(self.path)
            check_spec(found["spec"], self.spec, os.fspath(self.path))
        except CheckpointError:
            return False
        if equal_weights(found["model"], self.network.state_dict()):
            return True
        set_aside(self.path)
        return False

    def _normality(self) -> dict[str, Any]:
        """Return what is kept of the training images, none of which can be seen in it."""
        kept: dict[str, Any] = {}
        if self.normals is not None:
            scores = None if self.normal_scores is None else self.normal_scores()
            kept["map_range"] = fit_map_range(self.network, self.normals, scores=scores)
            if self.facts is not None:
                kept["guard"] = InputGuard.fit(self.normals, self.facts).state()
        if self.pixel_hashes is not None:
            hashes = [fingerprint(pixel_hash) for pixel_hash in self.pixel_hashes]
            kept["fingerprints"] = torch.tensor(hashes, dtype=torch.int64)
        if self.member_guards is not None:
            kept["member_guards"] = dict(self.member_guards)
        return kept
