# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a second process brings a training: ``python -m measurements.processes`` prints images a second of one and two.

Each process has one thread and a batch of its own, as ``torchrun`` and ``multi_gpu_train.json`` have it; both trainings
take turns, a few iterations at a time. It needs as many free cores as processes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Sequence

from measurements.bundle_config import read_config
from measurements.command_line import add_json, add_rounds, run_measurement
from measurements.comparison import write_numbers
from measurements.requested_training import RequestedTraining
from monai_anomaly.apps.arguments import count

__all__ = ["BAR", "main", "measure_processes"]

BAR = 1.7
"""Images a second of two processes over those of one, at least."""


def measure_processes(
    bundle: str | os.PathLike[str],
    *,
    processes: int = 2,
    rounds: int = 8,
    iterations: int = 5,
    json_path: str | os.PathLike[str] | None = None,
) -> dict[str, list[float]]:
    """Measure both and print their images a second and the ratio.

    Args:
        bundle: the bundle's folder.
        processes: of the larger training.
        rounds: how often both are timed.
        iterations: in a round.
        json_path: where to write the numbers, if anywhere.

    Returns:
        The images a second of each round, by the number of processes, and their ``ratio``.
    """
    config = read_config(bundle, "train", {}, None)
    images = iterations * config.get_parsed_content("train#dataloader#batch_size")
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (
        RequestedTraining(bundle, iterations, variables) as one,
        RequestedTraining(bundle, iterations, variables, processes) as several,
    ):
        one.seconds(), several.seconds()  # to warm up
        pairs = [(one.seconds(), several.seconds()) for _ in range(rounds)]
    rates = {
        "1": [images / alone for alone, _ in pairs],
        str(processes): [processes * images / together for _, together in pairs],
        "ratio": [processes * alone / together for alone, together in pairs],
    }
    for name, values in rates.items():
        what = "ratio of both" if name == "ratio" else f"{name} processes, images a second"
        print(f"{what:32} median {statistics.median(values):8.2f}  ({min(values):.2f} to {max(values):.2f})")
    print(f"bar {BAR:g} for two processes; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    write_numbers(json_path, rates)
    return rates


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as the command line says, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m measurements.processes", description=__doc__)
    parser.add_argument("--bundle", default="bundles/sepiad", help="the bundle's folder (default: %(default)s)")
    parser.add_argument("--processes", type=count, default=2, help="that train together (default: %(default)s)")
    parser.add_argument("--iterations", type=count, default=5, help="in a round (default: %(default)s)")
    add_rounds(parser)
    add_json(parser)
    return run_measurement(measure_processes, **vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
