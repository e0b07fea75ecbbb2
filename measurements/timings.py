# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a bundle's training and scoring cost beyond the network's own arithmetic.

A profiler says where time goes; these two ratios say how much of it the arithmetic does not need, on any machine. Both
sides of a ratio are timed in turn within one process, because the machines that this runs on are shared and noisy.
"""

from __future__ import annotations

import copy
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser
from PIL import Image
from scipy.ndimage import zoom
from torch import Tensor
from tqdm import tqdm

from measurements.comparison import Comparison, Span, Stopwatch, format_table
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.phantom.ultrasound.physics import speckle
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.exceptions import ConfigError

__all__ = [
    "SCORING_BAR",
    "TRAINING_BAR",
    "ComputeFloor",
    "compare_scoring",
    "compare_training",
    "time_bundle",
    "write_pictures",
]

TRAINING_BAR = 1.25
SCORING_BAR = 1.5

_PICTURE_SIZE = 256


def time_bundle(
    bundle: str | os.PathLike[str],
    *,
    images: int = 1000,
    rounds: int = 8,
    iterations: int = 25,
    train: Mapping[str, Any] | None = None,
    inference: Mapping[str, Any] | None = None,
    json_path: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Measure both ratios of a bundle and print them as a table.

    Everything is written into one temporary folder, which is removed at the end.

    Args:
        bundle: the bundle's folder.
        images: pictures to score.
        rounds: how often both sides are timed, after one round that is not.
        iterations: training iterations in a round.
        train: overrides of ``train.json``.
        inference: overrides of ``inference.json``.
        json_path: where to write the numbers, if anywhere.

    Returns:
        The numbers, as written to the file.

    Raises:
        ConfigError: when `bundle` is no bundle with training and inference, or it does not know an override.
    """
    _read(bundle, "inference", {}, inference)  # a mistake in it should not wait for the training
    load = os.getloadavg() if hasattr(os, "getloadavg") else (float("nan"),)
    with tempfile.TemporaryDirectory(prefix="monai_anomaly-timings-") as name, redirect_stdout(sys.stderr):
        folder = Path(name)
        training = compare_training(bundle, folder, rounds=rounds, iterations=iterations, overrides=train)
        write_pictures(folder / "pictures", images)
        model = folder / "models" / "model.pt"
        scoring = compare_scoring(bundle, folder, model, rounds=rounds, overrides=inference)
    result = {
        "training": training.summary(),
        "scoring": scoring.summary(),
        "environment": {
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "load_before": load[0],
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
    print(format_table([training, scoring]))
    print(_remarks(result))
    if json_path is not None:
        atomic_write(json_path, json.dumps(result, indent=1) + "\n")
    return result


def _remarks(result: Mapping[str, Any]) -> str:
    training, machine = result["training"], result["environment"]
    return (
        "ratio: median over the rounds of ours / floor on the clock; min: the smallest; cpu: by processor time.\n"
        f"After an epoch, validation, checkpoint and pictures took {training['epoch_end_s']:.2f} s (mean; not in the "
        f"ratio);\nin an epoch of the bundle's {training['epoch_length']:.0f} iterations they would make it "
        f"{training['ratio_with_epoch_end']:.3f}.\n"
        f"{machine['threads']} threads on {machine['cores']} cores; load average before: {machine['load_before']:.1f}."
    )


# ---- training ----------------------------------------------------------------------------------------------------


def compare_training(
    bundle: str | os.PathLike[str],
    folder: Path,
    *,
    rounds: int,
    iterations: int,
    overrides: Mapping[str, Any] | None = None,
) -> Comparison:
    """Return the bundle's training iteration against the same forwards, backwards and optimizer steps alone.

    Ours is the bundle's ``training`` as it stands, with every handler, except that the features are random instead of
    pretrained: the times are the same. The floor works on a copy of the objective and the optimizers, on a batch that
    is already cut into shares, without augmentation and weight policy.

    Args:
        bundle: the bundle's folder.
        folder: where the training writes, ``models/model.pt`` among others.
        rounds: epochs that count, after one that does not.
        iterations: iterations in an epoch.
        overrides: of ``train.json``.

    Raises:
        ConfigError: as :func:`time_bundle`.
    """
    own = {
        "output_dir": str(folder / "output"),
        "ckpt_dir": str(folder / "models"),
        "max_epochs": rounds + 1,
        "epoch_length": iterations,
    }
    config = _read(bundle, "train", own, overrides)
    epoch_length = _read(bundle, "train", {}, overrides)["epoch_length"]
    if "weights" in config:
        config["weights"] = str(folder / "features.pt")
        torch.save(config.get_parsed_content("network_def").features.state_dict(), folder / "features.pt")
    config.get_parsed_content("initialize")
    steps = len(config["training"])
    for step in range(steps - 1):
        config.get_parsed_content(f"training#{step}")
    timer = _TrainingTimer(Comparison("training iteration", TRAINING_BAR, per=iterations))
    timer.attach(config.get_parsed_content("train#trainer"))
    config.get_parsed_content(f"training#{steps - 1}")
    return timer.finish(epoch_length)


class _TrainingTimer:
    """Times each epoch's iterations, what follows them, and then as many iterations of the floor.

    Args:
        comparison: what to fill; the first epoch is left out.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self._floor: ComputeFloor | None = None
        self._watch = Stopwatch()
        self._iterations = Span(0.0, 0.0)
        self._ends: list[float] = []

    def attach(self, trainer: ObjectiveTrainer) -> None:
        """Attach after all other handlers, so that they lie within what is timed."""
        last = Events.ITERATION_COMPLETED(event_filter=lambda e, i: i % e.state.epoch_length == 0)
        trainer.add_event_handler(Events.EPOCH_STARTED, self._start)
        trainer.add_event_handler(last, self._stop)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._time_floor)

    def _start(self, trainer: ObjectiveTrainer) -> None:
        self._watch = Stopwatch(trainer.state.device)

    def _stop(self, _: Engine) -> None:
        self._iterations = self._watch.read()

    def _time_floor(self, trainer: ObjectiveTrainer) -> None:
        end = self._watch.read().wall - self._iterations.wall
        first = self._floor is None
        floor = self._floor = self._floor or ComputeFloor(trainer)
        watch = Stopwatch(trainer.state.device)
        for _ in range(self.comparison.per):
            floor.step()
        if not first:
            self.comparison.floor.append(watch.read())
            self.comparison.ours.append(self._iterations)
            self._ends.append(end)

    def finish(self, epoch_length: int) -> Comparison:
        """Return the comparison, with what the end of an epoch adds in epochs of the bundle's own length."""
        end = statistics.mean(self._ends)
        values = self.comparison.summary()
        whole = (values["ours_s_median"] + end / epoch_length) / values["floor_s_median"]
        self.comparison.notes = {"epoch_end_s": end, "epoch_length": epoch_length, "ratio_with_epoch_end": whole}
        return self.comparison


class ComputeFloor:
    """The forwards, backwards and optimizer steps of an iteration, and nothing else.

    With the same batch and random numbers, and a trainer that neither augments nor adapts weights, both end with the
    same weights, bit by bit.

    Args:
        trainer: whose objective and optimizers to copy, as they are now: shapes, memory format, cached features.
    """

    def __init__(self, trainer: ObjectiveTrainer) -> None:
        # One copy of both, so that the optimizers' parameters are the copied objective's.
        self.objective, self.optimizers = copy.deepcopy((trainer.objective, trainer.optimizers))
        # work on data, and the policy
        for name, instead in (("augment", None), ("policy_interval", None), ("corrupt", _keep)):
            if getattr(self.objective, name, None) is not None:
                setattr(self.objective, name, instead)
        self.updates = tuple(self.objective.updates())
        self.amp = {"device_type": trainer.state.device.type, "dtype": trainer.amp_dtype, "enabled": trainer.amp}
        batch = trainer.prepare_batch(next(iter(trainer.data_loader)), trainer.state.device)
        self.shares = list(trainer._shares(batch))
        self.parameters = [update.parameters() for update in self.updates]

    def step(self) -> None:
        """One iteration."""
        shares = iter(self.shares)
        for number, update in enumerate(self.updates):
            self._freeze_others(number)
            optimizer = self.optimizers[update.name]
            for _ in range(update.repeats):
                optimizer.zero_grad(set_to_none=True)
                with torch.autocast(**self.amp):
                    terms = update.terms(next(shares))
                update.backward(terms)
                del terms  # with its graph: memory that is used again at once is cheaper than new one
                optimizer.step()

    def _freeze_others(self, number: int) -> None:
        for parameters in self.parameters:
            for p in parameters:
                p.requires_grad_(False)
        for p in self.parameters[number]:
            p.requires_grad_(True)


def _keep(image: Tensor) -> tuple[Tensor, Tensor]:
    """In place of synthetic anomalies: the image itself, and an empty mask."""
    return image, torch.zeros_like(image[:, :1])


# ---- scoring -----------------------------------------------------------------------------------------------------


def compare_scoring(
    bundle: str | os.PathLike[str],
    folder: Path,
    model: Path,
    *,
    rounds: int,
    overrides: Mapping[str, Any] | None = None,
) -> Comparison:
    """Return the bundle's inference on ``folder/pictures`` against the network's forward passes alone.

    Ours is everything between the imports and the last record: reading the configuration and the checkpoint, listing
    the folder, decoding, preprocessing, the forward passes, heat maps and records. The floor is the same network on the
    same batches, preprocessed beforehand.

    Args:
        bundle: the bundle's folder.
        folder: holds ``pictures``, and gets the results.
        model: the detector's checkpoint.
        rounds: how often both sides are timed, after one round that is not.
        overrides: of ``inference.json``.

    Raises:
        ConfigError: as :func:`time_bundle`.
        RuntimeError: when a picture was not scored.
    """
    results = folder / "results"
    own: dict[str, Any] = {"dataset_dir": str(folder / "pictures"), "output_dir": str(results)}
    own |= {"checkpoint": str(model), "uncalibrated": True}
    device, network, batches = _prepared(_read(bundle, "inference", own, overrides))
    count = sum(len(batch) for batch in batches)
    comparison = Comparison(f"scoring {count} PNG", SCORING_BAR)
    for number in range(rounds + 1):
        watch = Stopwatch(device)
        config = _read(bundle, "inference", own, overrides)
        config.get_parsed_content("initialize")
        config.get_parsed_content("run")
        ours = watch.read()
        _check_records(results / "records.jsonl", count)
        shutil.rmtree(results)
        watch = Stopwatch(device)
        _forward(network, batches)
        if number:
            comparison.ours.append(ours)
            comparison.floor.append(watch.read())
    return comparison


def _prepared(config: ConfigParser) -> tuple[torch.device, torch.nn.Module, list[Tensor]]:
    """Return the device, the network and all its batches, preprocessed."""
    device = config.get_parsed_content("device")
    batches = [batch["image"].to(device) for batch in config.get_parsed_content("dataloader")]
    return device, config.get_parsed_content("network").eval(), batches


@torch.inference_mode()
def _forward(network: torch.nn.Module, batches: list[Tensor]) -> None:
    for batch in batches:
        network(batch)


def _check_records(path: Path, count: int) -> None:
    """Refuse times of a run in which files were refused or failed."""
    with open(path, encoding="utf-8") as file:
        scored = sum(json.loads(line)["status"] == "scored" for line in file)
    if scored != count:
        raise RuntimeError(f"{scored} of {count} pictures were scored; the times of such a run mean nothing.")


def write_pictures(folder: Path, count: int, *, seed: int = 0) -> None:
    """Write gray 8-bit PNG of 256 x 256 pixels that look like ultrasound and compress a little worse (44 kB each).

    Args:
        folder: made; must not exist.
        count: number of pictures.
        seed: of the pictures.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in tqdm(range(count), desc="making pictures", unit="image", delay=2.0, leave=False):
        Image.fromarray(_picture(rng)).save(folder / f"{number:06d}.png")


def _picture(rng: np.random.Generator) -> np.ndarray:
    """One picture ``(256, 256)`` uint8: log-compressed speckle under a smooth tissue pattern, darker with depth."""
    size = _PICTURE_SIZE
    scatterers = rng.standard_normal((2, size, size), dtype=np.float32)
    echo = speckle(scatterers[0] + 1j * scatterers[1], axial=1.5, lateral=np.linspace(1.5, 4.0, size))
    tissue = zoom(rng.normal(scale=6.0, size=(8, 8)), size / 8, order=3)  # dB
    decibel = 20.0 * np.log10(np.abs(echo) + 1e-3) + tissue - np.linspace(0.0, 20.0, size)[:, None]
    return (np.clip(decibel / 60.0 + 0.6, 0.0, 1.0) * 255.0).astype(np.uint8)


# ---- configurations ----------------------------------------------------------------------------------------------


def _read(
    bundle: str | os.PathLike[str], name: str, own: Mapping[str, Any], overrides: Mapping[str, Any] | None
) -> ConfigParser:
    """Return a bundle's configuration with overrides; the user's go below what the timing sets itself."""
    path = Path(bundle) / "configs" / f"{name}.json"
    if not path.is_file():
        raise ConfigError(f"'{os.fspath(bundle)}' is no bundle: it has no 'configs/{name}.json'; name another folder.")
    config = ConfigParser()
    config.read_config(path)
    unknown = sorted(set(overrides or {}) - set(config.get()))
    if unknown:
        raise ConfigError(f"{path.name} has no '{unknown[0]}' to override; its keys are {', '.join(config.get())}.")
    for key, value in {**(overrides or {}), "bundle_root": os.fspath(bundle), **own}.items():
        config[key] = value
    return config
