# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a training's settings save: its iteration in several forms, in turn, within one process.

``python -m measurements.training_forms`` trains as a bundle does, and does the work of an iteration, in turn, as it is
and in other forms. ``earlier`` is the arithmetic as it was: all weights in channels_last, plain convolutions,
optimizers that are not fused, and memory that goes back to the system when it is freed. ``bfloat16`` and ``compile``
are the keys `amp` and `compile`; the first round, in which networks are translated, does not count.

With ``--auc`` it trains once for each of the keys' forms instead, and tells the time of the whole training, its last
losses and its AUC.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

import torch
from torch import nn

from measurements.bundle_config import read_config, run_training
from measurements.command_line import THREADS_ADVICE, add_json, add_overrides, add_rounds, run_measurement
from measurements.comparison import Comparison, write_numbers
from measurements.compute_floor import ComputeFloor
from measurements.epoch_timer import EpochTimer
from monai_anomaly.apps.arguments import count
from monai_anomaly.engines.compiling import compile_networks
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.networks.blocks.small_map_conv import SmallMapConv2d
from monai_anomaly.networks.blocks.winograd_conv import WinogradConv2d
from monai_anomaly.networks.memory_format import aligned
from monai_anomaly.utils.kept_memory import keep_freed_memory
from monai_anomaly.utils.stopwatch import Span, Stopwatch

__all__ = ["main", "time_forms", "train_forms"]

KEYS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "bfloat16": {"amp": True},
    "compile": {"compile": True},
    "both": {"amp": True, "compile": True},
}
"""Trainings that are compared by ``--auc``."""


# ---- forms of an iteration -----------------------------------------------------------------------------------------


def _earlier(floor: ComputeFloor) -> None:
    """Undo what makes a training fast."""
    for module in floor.objective.modules():
        if isinstance(module, (SmallMapConv2d, WinogradConv2d)):
            module.__class__ = nn.Conv2d  # type: ignore[assignment]  # of the same parameters
    floor.objective.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for optimizer in floor.optimizers.values():
        for group in optimizer.param_groups:
            group["fused"] = None
        for parameter, state in optimizer.state.items():
            state |= {key: aligned(value, parameter) for key, value in state.items()}


def _bfloat16(floor: ComputeFloor) -> None:
    floor.amp |= {"dtype": torch.bfloat16, "enabled": True}


def _compile(floor: ComputeFloor) -> None:
    compile_networks(floor.objective.compilable(), str(floor.amp["device_type"]))


FORMS: dict[str, Callable[[ComputeFloor], None]] = {"earlier": _earlier, "bfloat16": _bfloat16, "compile": _compile}


class _Timer(EpochTimer):
    """Times iterations as they are and in each form behind the trainer's own; the first epoch is to warm up."""

    def __init__(self, forms: Sequence[str], iterations: int) -> None:
        super().__init__()
        self.comparisons = {form: Comparison(form, bar=1.0, per=iterations) for form in forms}
        self._per = iterations
        self._sides: dict[str, ComputeFloor] = {}

    def time_others(self, trainer: ObjectiveTrainer) -> None:
        """Time all forms."""
        if not self._sides:
            self._sides = {form: ComputeFloor(trainer) for form in ("", *self.comparisons)}
            for form in self.comparisons:
                FORMS[form](self._sides[form])
                self._sides[form].step()
            return
        ours = self._time("")
        for form, comparison in self.comparisons.items():
            comparison.ours.append(ours)
            comparison.floor.append(self._time(form))

    def _time(self, form: str) -> Span:
        """Time a form, after a step in which its memory settles."""
        side = self._sides[form]
        keep_freed_memory(form != "earlier")
        side.step()
        watch = Stopwatch(side.amp["device_type"])
        for _ in range(self._per):
            side.step()
        span = watch.read()
        keep_freed_memory()
        return span


def time_forms(
    bundle: str | os.PathLike[str] = "bundles/sagan",
    *,
    forms: Sequence[str] = tuple(FORMS),
    rounds: int = 4,
    iterations: int = 2,
    overlays: Sequence[str] = (),
    train: Mapping[str, Any] | None = None,
    json_path: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Measure what an iteration of the bundle computes, as it is and in each form, and print them.

    Args:
        bundle: the bundle's folder.
        forms: keys of :data:`FORMS`.
        rounds: how often all forms are timed, after one round that is not.
        iterations: in a round.
        overlays: names of configurations that go over ``train.json``.
        train: overrides of ``train.json``, by key.
        json_path: where to write the numbers, if anywhere.

    Returns:
        The numbers, as written to the file; "floor" is the form, "ours" the iteration as it is.

    Raises:
        ConfigError: when `bundle` is no bundle, or it does not know an override.
    """
    timer = _Timer(forms, iterations)
    settings = {"max_epochs": rounds + 1, "epoch_length": 1, "val_interval": rounds + 2, "save_interval": rounds + 2}
    with tempfile.TemporaryDirectory(prefix="monai_anomaly-forms-") as folder, redirect_stdout(sys.stderr):
        config = read_config(bundle, "train", {**settings, **_folders(folder)}, train, overlays)
        config.get_parsed_content("initialize")
        run_training(config, lambda: timer.attach(config.get_parsed_content("train#trainer")))
    for form, comparison in timer.comparisons.items():
        ours, theirs = (statistics.median(span.cpu for span in side) for side in (comparison.ours, comparison.floor))
        ratio = statistics.median(comparison.ratios("cpu"))
        print(
            f"an iteration in processor time: as it is {ours / iterations:.3f} s, {form} {theirs / iterations:.3f} s, "
            f"{1.0 / ratio:.2f} times as much"
        )
    result: dict[str, Any] = {form: comparison.summary() for form, comparison in timer.comparisons.items()}
    result["environment"] = {"threads": torch.get_num_threads(), "torch": torch.__version__}
    write_numbers(json_path, result)
    return result


# ---- whole trainings -----------------------------------------------------------------------------------------------


def train_forms(
    bundle: str | os.PathLike[str] = "bundles/sagan",
    *,
    forms: Sequence[str] = tuple(KEYS),
    overlays: Sequence[str] = (),
    train: Mapping[str, Any] | None = None,
    json_path: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Train once with each of the keys, print what each training took and its AUC, and return that.

    Args:
        bundle: the bundle's folder.
        forms: keys of :data:`KEYS`.
        overlays: names of configurations that go over ``train.json``.
        train: overrides of ``train.json``, by key, such as a smaller `max_epochs`.
        json_path: where to write the numbers, if anywhere.

    Raises:
        ConfigError: when `bundle` is no bundle, or it does not know an override.
    """
    results: dict[str, Any] = {}
    for form in forms:
        with tempfile.TemporaryDirectory(prefix="monai_anomaly-forms-") as folder, redirect_stdout(sys.stderr):
            config = read_config(bundle, "train", {**_folders(folder), **KEYS[form]}, train, overlays)
            config["val_interval"] = config["max_epochs"]
            config.get_parsed_content("initialize")
            watch = Stopwatch()
            run_training(config, lambda: None)
            took = watch.read()
            auroc = config.get_parsed_content("validate#evaluator").state.metrics["auroc"]
        results[form] = {"cpu_s": took.cpu, "wall_s": took.wall, "auroc": float(auroc)}
        first = results[forms[0]]
        print(
            f"{form}: AUC {auroc:.4f}, {took.cpu:.1f} s of processor time, {took.wall:.1f} s; "
            f"{first['cpu_s'] / took.cpu:.2f} times as fast as '{forms[0]}'",
            flush=True,
        )
    write_numbers(json_path, results)
    return results


def _folders(folder: str) -> dict[str, str]:
    return {"output_dir": os.path.join(folder, "output"), "ckpt_dir": os.path.join(folder, "models")}


# ---- command line --------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code, 1 for an error that its message explains."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.training_forms",
        description="Time a training's iteration against other forms of it, or compare trainings with amp and compile.",
        epilog=THREADS_ADVICE,
    )
    parser.add_argument("--bundle", default="bundles/sagan", help="the bundle's folder (default: %(default)s)")
    parser.add_argument("--auc", action="store_true", help="whole trainings with the keys amp and compile instead")
    parser.add_argument(
        "--form", action="append", dest="forms", help=f"one of {', '.join({**FORMS, **KEYS})}; repeatable"
    )
    add_rounds(parser)
    parser.add_argument("--iterations", type=count, default=2, help="of training, a round (default: %(default)s)")
    parser.add_argument(
        "--overlay", action="append", default=[], dest="overlays", metavar="NAME", help="configuration over train.json"
    )
    add_overrides(parser, "train")
    add_json(parser)
    options = {**vars(parser.parse_args(arguments))}
    options["train"] = dict(options["train"])
    whole = options.pop("auc")
    known = KEYS if whole else FORMS
    options["forms"] = options["forms"] or list(known)
    unknown = [form for form in options["forms"] if form not in known]
    if unknown:
        parser.error(f"--form must be one of {', '.join(known)}, got {unknown[0]}")
    if not whole:
        return run_measurement(time_forms, **options)
    del options["rounds"], options["iterations"]
    return run_measurement(train_forms, **options)


if __name__ == "__main__":
    sys.exit(main())
