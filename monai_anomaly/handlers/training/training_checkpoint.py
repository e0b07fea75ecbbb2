# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Checkpoints that a killed run can go on from."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn

from monai_anomaly.data.sets.duplicates import fingerprint
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.guard.input_guard import InputGuard
from monai_anomaly.utils.atomic import TEMPORARY_MARK, atomic_path
from monai_anomaly.utils.exceptions import CheckpointError, TrainingError

__all__ = ["TrainingCheckpoint", "check_spec", "fit_map_range", "load_checkpoint", "save_checkpoint"]

logger = logging.getLogger(__name__)


class Stateful(Protocol):
    """Anything with a state of tensors and numbers."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Go back to a state."""


class WeightChoice(Protocol):
    """Chooses the weights of ``model.pt``; see :mod:`monai_anomaly.handlers.training.best_weights`."""

    def put_back(self) -> None:
        """Give the chosen weights to the detector."""

    @property
    def rule(self) -> str:
        """How they were chosen, in words for a report."""


def save_checkpoint(content: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Save tensors (moved to the CPU) and plain values, whole or not at all.

    MONAI's `CheckpointSaver` forces a write in place, so a full disk or a kill in the middle costs the only copy.

    Raises:
        CheckpointError: when the file cannot be written; what was at `path` is untouched.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    try:
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            torch.save(_to_cpu(content), file)
    except (OSError, RuntimeError) as error:  # PyTorch's writer reports a full disk as either
        raise CheckpointError(
            f"cannot write the checkpoint '{os.fspath(path)}': {error}; the last one is untouched. Free some space or "
            "name another folder, then resume."
        ) from error


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Load a checkpoint of this package onto the CPU, with `weights_only=True`.

    Raises:
        CheckpointError: when there is none, it is damaged, or something else made it.
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise CheckpointError(f"there is no checkpoint '{name}': train first (run training), or name another file.")
    try:
        content = torch.load(name, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"the checkpoint '{name}' cannot be read: it is damaged or holds more than tensors and plain values; "
            "train again, or name another file."
        ) from error
    if not isinstance(content, dict) or "model" not in content or "spec" not in content:
        raise CheckpointError(
            f"'{name}' is not a checkpoint of this package: it has no 'model' and 'spec'; name another file."
        )
    return content


class TrainingCheckpoint:
    """Saves what a run needs to go on, and the trained detector at its end.

    ``checkpoint.pt`` is written after every `interval` epochs and at the end: the detector, the objective with its
    critics and policies, the optimizers, the epoch and whatever else has a state. ``model.pt`` is written at the end:
    the detector and its spec. Both load with `weights_only=True`. Attach it last, so that what it saves has passed the
    trainer's guards.

    Args:
        save_dir: where to write both.
        trainer: the trainer to save and resume.
        spec: how the detector and its preprocessing are made, in plain values; kept beside the weights.
        others: further things with a state, by name, such as the metric history.
        interval: epochs between two saves.
        normals: training normals ``(N, C, H, W)``; at the end the range of their maps is kept beside the weights, so
            that every heat map of this detector is drawn on one scale.
        facts: of each of the normals (see :mod:`monai_anomaly.data.picture_facts`) and its ``group``; at the end an
            input guard is fitted and kept beside the weights. None leaves it out.
        pixel_hashes: of each image that was trained on (see :func:`monai_anomaly.data.sets.duplicates.pixel_hash`);
            their fingerprints are kept beside the weights, so that no calibration takes a training image for a new one.
        data: what is to be said of the training data beside the weights, numbers and texts by name.
        choice: chooses the weights of ``model.pt``; None takes those of the last iteration. ``checkpoint.pt`` always
            holds the last ones.

    Raises:
        CheckpointError: on resuming, when the file is missing, damaged or of another architecture.
    """

    def __init__(
        self,
        save_dir: str | os.PathLike[str],
        trainer: ObjectiveTrainer,
        *,
        spec: Mapping[str, Any],
        others: Mapping[str, Stateful] | None = None,
        interval: int = 1,
        normals: Tensor | None = None,
        facts: Sequence[Mapping[str, Any]] | None = None,
        pixel_hashes: Sequence[str] | None = None,
        data: Mapping[str, int | str] | None = None,
        choice: WeightChoice | None = None,
    ) -> None:
        self.choice = choice
        self.data = dict(data or {})
        self.normals = normals
        self.facts = facts
        self.pixel_hashes = pixel_hashes
        self.save_dir = Path(save_dir)
        self.trainer = trainer
        self.spec = dict(spec)
        self.others = dict(others or {})
        self.interval = interval

    @property
    def path(self) -> Path:
        """The resumable checkpoint."""
        return self.save_dir / "checkpoint.pt"

    @property
    def model_path(self) -> Path:
        """The trained detector."""
        return self.save_dir / "model.pt"

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        if idist.get_rank() > 0:
            return
        for leftover in self.save_dir.glob(f".*.pt{TEMPORARY_MARK}*"):  # of a run killed in a save
            leftover.unlink()
        engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.interval), self._save)
        engine.add_event_handler(Events.COMPLETED, self._finish)

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
        return {
            "model": model,
            "spec": self.spec,
            "objective": self.trainer.objective.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.trainer.optimizers.items()},
            "others": {name: other.state_dict() for name, other in self.others.items()},
            "trainer": {"epoch": epoch, "epoch_length": state.epoch_length},
        }

    def _save(self, _: Engine) -> None:
        save_checkpoint(self._content(), self.path)

    def _finish(self, _: Engine) -> None:
        content = self._content()
        save_checkpoint(content, self.path)
        data = self.data
        if self.choice is not None:
            self.choice.put_back()
            data = data | {"checkpoint rule": self.choice.rule}
        model = {"model": self.trainer.objective.detector.state_dict(), "spec": content["spec"], "data": data}
        if self.normals is not None:
            model["map_range"] = fit_map_range(self.trainer.objective.detector, self.normals)
            if self.facts is not None:
                model["guard"] = InputGuard.fit(self.normals, self.facts).state()
        if self.pixel_hashes is not None:
            model["fingerprints"] = torch.tensor([fingerprint(one) for one in self.pixel_hashes], dtype=torch.int64)
        save_checkpoint(model, self.model_path)
        logger.info("the trained detector is in %s", self.model_path)


def _require_finite(model: Mapping[str, Any]) -> None:
    """Refuses to save weights that the last step spoiled, which no loss has shown yet."""
    broken = [name for name, value in model.items() if isinstance(value, Tensor) and not value.isfinite().all()]
    if broken:
        raise TrainingError(
            f"the training diverged: {len(broken)} of {len(model)} tensors of the detector are not finite "
            f"('{broken[0]}' first); the last checkpoint is from before that. Lower the learning rates."
        )


@torch.no_grad()
def fit_map_range(detector: nn.Module, normals: Tensor, count: int = 64) -> list[float]:
    """Return a scale for all maps of a detector: up to four times the 99 % quantile of positions in normal images.

    Args:
        detector: images to maps ``(B, 1, H, W)``.
        normals: training normals ``(N, C, H, W)``; evenly spaced ones are taken.
        count: how many.

    Returns:
        the map values of the first and the last color; the first is 0 unless maps go below it.
    """
    rows = torch.linspace(0, len(normals) - 1, min(count, len(normals))).round().long()
    device = next(detector.parameters()).device
    training = detector.training
    detector.eval()
    maps = torch.cat([detector(part.to(device)).cpu() for part in normals[rows].split(16)]).flatten()
    detector.train(training)
    low, high = torch.quantile(maps[:: max(1, len(maps) // 10**6)], torch.tensor([0.01, 0.99])).tolist()
    return [min(0.0, low), max(4.0 * high, 1e-6)]


def check_spec(saved: Mapping[str, Any], wanted: Mapping[str, Any], path: str) -> None:
    """Compare how a checkpoint's detector was made with how this one is.

    Raises:
        CheckpointError: naming every difference.
    """
    differences = _differences(saved, wanted)
    if differences:
        raise CheckpointError(
            f"the checkpoint '{path}' was made with other settings: {'; '.join(differences)}. "
            "Use the settings of its training, or another checkpoint."
        )


def _differences(saved: Any, wanted: Any, where: str = "") -> list[str]:
    if isinstance(saved, Mapping) and isinstance(wanted, Mapping):
        keys = sorted(saved.keys() | wanted.keys())
        return [d for k in keys for d in _differences(saved.get(k), wanted.get(k), f"{where}.{k}" if where else k)]
    if isinstance(saved, (list, tuple)) and isinstance(wanted, (list, tuple)):
        saved, wanted = list(saved), list(wanted)
    return [] if saved == wanted else [f"{where} is {saved!r} there and {wanted!r} here"]


def _to_cpu(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, Mapping):
        return {k: _to_cpu(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_to_cpu(v) for v in value)
    return value
