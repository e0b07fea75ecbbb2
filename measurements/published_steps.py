# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What SAGAN's training iteration saves over the same steps done as they were published.

``python -m measurements.published_steps`` times the bundle's trainer and, in turn with it, as many updates of the
critic and the generator with the same images, batch size and losses, done step by step as in
:mod:`measurements.published_sagan`.
They are timed with several networks. ``published network`` is the published one of the bundle's widths, which works at
full resolution; ``published steps`` has ``unshuffle`` as the bundle, so that both sides have convolutions of the same
cost (where that is 1, the two are one); ``same network`` is the bundle's own, so that what is left are the savings of
the loop.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from measurements.bundle_config import run_training
from measurements.command_line import THREADS_ADVICE, add_json, add_overrides, add_rounds, run_measurement
from measurements.comparison import Comparison, format_table, write_numbers
from measurements.epoch_timer import EpochTimer
from measurements.published_sagan import PUBLISHED, PublishedSteps, publish
from monai_anomaly.apps.arguments import count
from monai_anomaly.engines.objectives.sagan import SAGANObjective
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.networks.nets.sagan.generator import SAGANGenerator
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.override_keys import check_keys
from monai_anomaly.utils.stopwatch import Stopwatch

__all__ = ["PUBLISHED_BAR", "main", "time_published_steps"]

PUBLISHED_BAR = 1.0 / 1.4
"""At least 1.4 times as fast."""

FORMS = {"published_network": "published network", "published_steps": "published steps", "same_network": "same network"}
"""Keys and names of what is compared."""


# ---- timing --------------------------------------------------------------------------------------------------------


def time_published_steps(
    bundle: str | os.PathLike[str] = "bundles/sagan",
    *,
    rounds: int = 8,
    iterations: int = 10,
    workers: int = 0,
    overlays: Sequence[str] = (),
    train: Mapping[str, Any] | None = None,
    json_path: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Measure the bundle's iteration against each form of the published steps and print them as a table.

    Everything is written into one temporary folder, which is removed at the end.

    Args:
        bundle: the bundle's folder.
        rounds: how often all sides are timed, after one round that is not.
        iterations: of the trainer in a round.
        workers: see :class:`~measurements.published_sagan.PublishedSteps`; processor time of a worker that has not
            ended is not counted.
        overlays: names of configurations that go over ``train.json``.
        train: overrides of ``train.json``, by key.
        json_path: where to write the numbers, if anywhere.

    Returns:
        The numbers, as written to the file.

    Raises:
        ConfigError: when `bundle` is no bundle that trains a SAGAN with a pool, or it does not know an override.
    """
    with tempfile.TemporaryDirectory(prefix="monai_anomaly-steps-") as folder, redirect_stdout(sys.stderr):
        settings = {
            "output_dir": os.path.join(folder, "output"),
            "ckpt_dir": os.path.join(folder, "models"),
            "max_epochs": rounds + 1,
            "epoch_length": iterations,
            "val_interval": rounds + 2,  # never
        }
        config = _read_config(bundle, overlays, {**(train or {}), "bundle_root": os.fspath(bundle), **settings})
        comparisons = _run(config, iterations, workers)
    print(format_table(list(comparisons.values())))
    for comparison in comparisons.values():
        cpu = statistics.median(comparison.ratios("cpu"))
        print(f"{comparison.name}: ours {1.0 / comparison.ratio:.2f} times as fast, {1.0 / cpu:.2f} by processor time")
    result: dict[str, Any] = {name: comparison.summary() for name, comparison in comparisons.items()}
    result["environment"] = {"threads": torch.get_num_threads(), "torch": torch.__version__, "workers": workers}
    write_numbers(json_path, result)
    return result


def _read_config(bundle: str | os.PathLike[str], overlays: Sequence[str], values: Mapping[str, Any]) -> ConfigParser:
    files = [Path(bundle) / "configs" / f"{name}.json" for name in ("train", *overlays)]
    for file in files:
        if not file.is_file():
            raise ConfigError(f"'{os.fspath(bundle)}' has no 'configs/{file.name}'; name another folder or overlay.")
    known = ConfigParser.load_config_files([str(file) for file in files])
    check_keys(values, known)
    config = ConfigParser(known)
    for key, value in values.items():
        config[key] = value
    return config


def _run(config: ConfigParser, iterations: int, workers: int) -> dict[str, Comparison]:
    """Train as the bundle does, with every handler, and the timer's behind them.

    Raises:
        ConfigError: when the trainer has no SAGAN or no pool.
    """
    config.get_parsed_content("initialize")
    timer = _Timer(_generators(config.get_parsed_content("network_args")), iterations, workers)

    def attach() -> None:
        trainer = config.get_parsed_content("train#trainer")
        if not isinstance(trainer.objective, SAGANObjective) or not trainer.objective.adversarial:
            raise ConfigError("the published steps are those of SAGAN with a pool; name a bundle and data of that.")
        timer.attach(trainer)

    run_training(config, attach)
    return timer.comparisons


def _generators(network: Mapping[str, Any]) -> dict[str, SAGANGenerator | None]:
    """Return the generator of each form, None for a copy of the trainer's."""
    given = network["generator"]

    def make(**arguments: Any) -> SAGANGenerator:
        return publish(
            SAGANGenerator(network["image_size"], network["in_channels"], **{**given, **PUBLISHED, **arguments})
        )

    full = {"published_network": make(unshuffle=1)} if given.get("unshuffle", 1) > 1 else {}
    return {**full, "published_steps": make(), "same_network": None}


class _Timer(EpochTimer):
    """Times as many updates of each form of the published steps as an epoch has.

    Args:
        generators: of each form, by its key in :data:`FORMS`; None for a copy of the trainer's.
        iterations: of an epoch.
        workers: see :class:`~measurements.published_sagan.PublishedSteps`.
    """

    def __init__(self, generators: Mapping[str, SAGANGenerator | None], iterations: int, workers: int) -> None:
        super().__init__()
        self.comparisons = {key: Comparison(FORMS[key], PUBLISHED_BAR, per=iterations) for key in generators}
        self._generators = generators
        self._workers = workers
        self._sides: dict[str, PublishedSteps] = {}

    def time_others(self, trainer: ObjectiveTrainer) -> None:
        """Time the published steps."""
        first = not self._sides
        if first:
            self._sides = {
                key: PublishedSteps(trainer, generator, workers=self._workers)
                for key, generator in self._generators.items()
            }
        for key, steps in self._sides.items():
            comparison = self.comparisons[key]
            watch = Stopwatch(trainer.state.device)
            for _ in range(comparison.per):
                steps.iterate()
            if not first:
                comparison.floor.append(watch.read())
                comparison.ours.append(self.iterations)


# ---- command line --------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code, 1 for an error that its message explains."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.published_steps",
        description="Time SAGAN's training iteration against the same steps done as they were published.",
        epilog=THREADS_ADVICE,
    )
    parser.add_argument("--bundle", default="bundles/sagan", help="the bundle's folder (default: %(default)s)")
    add_rounds(parser)
    parser.add_argument("--iterations", type=count, default=10, help="of training, a round (default: %(default)s)")
    parser.add_argument("--workers", type=int, choices=(0, 1), default=0, help="processes of the published data loader")
    parser.add_argument(
        "--overlay", action="append", default=[], dest="overlays", metavar="NAME", help="configuration over train.json"
    )
    add_overrides(parser, "train")
    add_json(parser)
    options = vars(parser.parse_args(arguments))
    return run_measurement(time_published_steps, **{**options, "train": dict(options["train"])})


if __name__ == "__main__":
    sys.exit(main())
