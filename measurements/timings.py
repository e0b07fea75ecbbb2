# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a bundle's training and scoring cost beyond the network's own arithmetic.

``python -m measurements.timings --bundle bundles/sepiad`` measures both, and ``--bundle bundles/*`` those of all.
A profiler says where time goes; these two ratios say how much of it the arithmetic does not need, on any machine. Both
sides of a ratio are timed in turn within one process, because the machines that this runs on are shared and noisy.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch

from measurements.bundle_config import read_config, run_training
from measurements.command_line import THREADS_ADVICE, add_json, add_overrides, add_rounds, run_measurement
from measurements.comparison import Comparison, format_table, write_numbers
from measurements.compute_floor import ComputeFloor
from measurements.epoch_timer import EpochTimer
from measurements.pictures import write_pictures
from measurements.scoring_timing import compare_scoring
from monai_anomaly.apps.arguments import count
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.utils.stopwatch import Stopwatch

__all__ = ["TRAINING_BAR", "compare_training", "main", "time_bundle", "time_bundles"]

TRAINING_BAR = 1.25


def time_bundle(
    bundle: str | os.PathLike[str],
    *,
    images: int = 500,
    rounds: int = 8,
    iterations: int = 25,
    train: Mapping[str, Any] | None = None,
    inference: Mapping[str, Any] | None = None,
    json_path: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Measure the ratios of a bundle and print them as a table.

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
        The numbers, as written to the file: ``training`` (None of a method that is solved and not descended), what
        :func:`measurements.scoring_timing.compare_scoring` compares, and ``environment``.

    Raises:
        ConfigError: when `bundle` is no bundle with training and inference, or it does not know an override.
    """
    read_config(bundle, "inference", {}, inference)  # a mistake in it should not wait for the training
    load = os.getloadavg() if hasattr(os, "getloadavg") else (float("nan"),)
    with tempfile.TemporaryDirectory(prefix="monai_anomaly-timings-") as name, redirect_stdout(sys.stderr):
        folder = Path(name)
        training = _training(bundle, folder, rounds=rounds, iterations=iterations, overrides=train)
        write_pictures(folder / "pictures", images)
        model = folder / "models" / "model.pt"
        scoring = compare_scoring(bundle, folder, model, rounds=rounds, overrides=inference)
    result = {
        "training": None if training is None else training.summary(),
        **{key: comparison.summary() for key, comparison in scoring.items()},
        "environment": {
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "load_before": load[0],
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }
    print(Path(bundle).name)
    print(format_table([*([] if training is None else [training]), *scoring.values()]))
    print(_remarks(result))
    write_numbers(json_path, result)
    return result


def _remarks(result: Mapping[str, Any]) -> str:
    training, machine = result["training"], result["environment"]
    remarks = (
        "ratio: median over the rounds of ours / floor on the clock; min: the smallest; cpu: by processor time, with "
        "that of\nthe processes that decode.\n"
    )
    if training is not None:
        remarks += (
            f"After an epoch, validation, checkpoint and pictures took {training['epoch_end_s']:.2f} s (mean; not in "
            f"the ratio);\nin an epoch of the bundle's {training['epoch_length']:.0f} iterations they would make it "
            f"{training['ratio_with_epoch_end']:.3f}.\n"
        )
    load = f"load average before: {machine['load_before']:.1f}"
    return f"{remarks}{machine['threads']} threads on {machine['cores']} cores; {load}."


def time_bundles(
    bundle: Sequence[str | os.PathLike[str]], *, json_path: str | os.PathLike[str] | None = None, **options: Any
) -> dict[str, Any]:
    """Do what :func:`time_bundle` does with one bundle, or with several, whose numbers stand under their names.

    Args:
        bundle: the bundles' folders.
        json_path: where to write the numbers, if anywhere.
        **options: of :func:`time_bundle`.
    """
    if len(bundle) == 1:
        return time_bundle(bundle[0], json_path=json_path, **options)
    result = {Path(each).name: time_bundle(each, **options) for each in bundle}
    write_numbers(json_path, result)
    return result


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


def _training(
    bundle: str | os.PathLike[str], folder: Path, *, rounds: int, iterations: int, overrides: Mapping[str, Any] | None
) -> Comparison | None:
    """Return what :func:`compare_training` does; train a method that is solved, which has no iterations."""
    if "epoch_length" in read_config(bundle, "train", {}, overrides):
        return compare_training(bundle, folder, rounds=rounds, iterations=iterations, overrides=overrides)
    settings = {"output_dir": str(folder / "output"), "ckpt_dir": str(folder / "models")}
    config = read_config(bundle, "train", settings, overrides)
    if "segmenter_steps" in config:
        config["segmenter_steps"] = iterations
    config.get_parsed_content("initialize")
    run_training(config, lambda: None)
    return None


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


# ---- command line ------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code, 1 for an error that its message explains."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.timings",
        description="Time a training iteration and the scoring of a folder against the network's bare arithmetic.",
        epilog=THREADS_ADVICE,
    )
    parser.add_argument(
        "--bundle", nargs="+", default=["bundles/sepiad"], help="bundles' folders (default: bundles/sepiad)"
    )
    parser.add_argument("--images", type=count, default=500, help="pictures to score (default: %(default)s)")
    add_rounds(parser)
    parser.add_argument("--iterations", type=count, default=25, help="of training, a round (default: %(default)s)")
    for config in ("train", "inference"):
        add_overrides(parser, config)
    add_json(parser)
    options = vars(parser.parse_args(arguments))
    overrides = {config: dict(options[config]) for config in ("train", "inference")}
    return run_measurement(time_bundles, **{**options, **overrides})


if __name__ == "__main__":
    sys.exit(main())
