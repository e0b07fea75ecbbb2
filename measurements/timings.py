# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a bundle's training and scoring cost beyond the network's own arithmetic.

``python -m measurements.timings --bundle bundles/sepiad`` measures both.
A profiler says where time goes; these two ratios say how much of it the arithmetic does not need, on any machine. Both
sides of a ratio are timed in turn within one process, because the machines that this runs on are shared and noisy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import Tensor

from measurements.bundle_config import read_config, run_training
from measurements.command_line import THREADS_ADVICE, add_json, add_overrides, add_rounds, run_measurement
from measurements.comparison import Comparison, format_table, write_numbers
from measurements.compute_floor import ComputeFloor
from measurements.epoch_timer import EpochTimer
from measurements.pictures import write_pictures
from monai_anomaly.apps.arguments import count
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.utils.stopwatch import Stopwatch

__all__ = ["SCORING_BAR", "TRAINING_BAR", "compare_scoring", "compare_training", "main", "time_bundle"]

TRAINING_BAR = 1.25
SCORING_BAR = 1.5


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
    read_config(bundle, "inference", {}, inference)  # a mistake in it should not wait for the training
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
    write_numbers(json_path, result)
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
    settings = {
        "output_dir": str(folder / "output"),
        "ckpt_dir": str(folder / "models"),
        "max_epochs": rounds + 1,
        "epoch_length": iterations,
    }
    config = read_config(bundle, "train", settings, overrides)
    epoch_length = read_config(bundle, "train", {}, overrides)["epoch_length"]
    if "weights" in config:
        config["weights"] = str(folder / "features.pt")
        torch.save(config.get_parsed_content("network_def").features.state_dict(), folder / "features.pt")
    config.get_parsed_content("initialize")
    timer = _TrainingTimer(Comparison("training iteration", TRAINING_BAR, per=iterations))
    run_training(config, lambda: timer.attach(config.get_parsed_content("train#trainer")))
    return timer.finish(epoch_length)


class _TrainingTimer(EpochTimer):
    """Times as many iterations of the floor as an epoch has.

    Args:
        comparison: what to fill; the first epoch is left out.
    """

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        self.comparison = comparison
        self._floor: ComputeFloor | None = None
        self._ends: list[float] = []

    def time_others(self, trainer: ObjectiveTrainer) -> None:
        """Time the floor."""
        end = self.watch.read().wall - self.iterations.wall
        first = self._floor is None
        floor = self._floor = self._floor or ComputeFloor(trainer)
        watch = Stopwatch(trainer.state.device)
        for _ in range(self.comparison.per):
            floor.step()
        if not first:
            self.comparison.floor.append(watch.read())
            self.comparison.ours.append(self.iterations)
            self._ends.append(end)

    def finish(self, epoch_length: int) -> Comparison:
        """Return the comparison, with what the end of an epoch adds in epochs of the bundle's own length."""
        end = statistics.mean(self._ends)
        values = self.comparison.summary()
        whole = (values["ours_s_median"] + end / epoch_length) / values["floor_s_median"]
        self.comparison.notes = {"epoch_end_s": end, "epoch_length": epoch_length, "ratio_with_epoch_end": whole}
        return self.comparison


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
    settings: dict[str, Any] = {"dataset_dir": str(folder / "pictures"), "output_dir": str(results)}
    settings |= {"checkpoint": str(model), "uncalibrated": True}
    device, network, batches = _prepared(read_config(bundle, "inference", settings, overrides))
    count = sum(len(batch) for batch in batches)
    comparison = Comparison(f"scoring {count} PNG", SCORING_BAR)
    for number in range(rounds + 1):
        watch = Stopwatch(device)
        config = read_config(bundle, "inference", settings, overrides)
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


# ---- command line ------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code, 1 for an error that its message explains."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.timings",
        description="Time a training iteration and the scoring of a folder against the network's bare arithmetic.",
        epilog=THREADS_ADVICE,
    )
    parser.add_argument("--bundle", default="bundles/sepiad", help="the bundle's folder (default: %(default)s)")
    parser.add_argument("--images", type=count, default=1000, help="pictures to score (default: %(default)s)")
    add_rounds(parser)
    parser.add_argument("--iterations", type=count, default=25, help="of training, a round (default: %(default)s)")
    for config in ("train", "inference"):
        add_overrides(parser, config)
    add_json(parser)
    options = vars(parser.parse_args(arguments))
    overrides = {config: dict(options[config]) for config in ("train", "inference")}
    return run_measurement(time_bundle, **{**options, **overrides})


if __name__ == "__main__":
    sys.exit(main())
