# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a training with several threads takes beside other programs, by how long threads that wait keep their cores.

``python -m measurements.busy_machine`` trains a bundle as ``make demo`` does, a few iterations at a time, in a process
for each setting of the environment, in turn: alone, and beside busy loops of the same priority. The mean counts, as a
training is the sum of its iterations, and some of them take fifty times as long as others.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from measurements.command_line import add_json, run_measurement
from measurements.comparison import write_numbers
from measurements.requested_training import RequestedTraining
from monai_anomaly.apps.arguments import count
from monai_anomaly.utils.waiting_threads import SPINS

__all__ = ["BAR", "main", "measure_settings"]

BAR = 3.0
"""The mean as it is over the mean with our setting, beside one busy loop for each core."""
OURS = f"GOMP_SPINCOUNT={SPINS}"
SETTINGS = ("", OURS, "OMP_WAIT_POLICY=PASSIVE", "OMP_NUM_THREADS=1")
CHOICES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
LOOP = "import time\nend = time.monotonic() + {seconds}\nwhile time.monotonic() < end:\n    pass"


def measure_settings(
    bundle: str | os.PathLike[str],
    *,
    settings: Sequence[str] = SETTINGS,
    competitors: Sequence[int] | None = None,
    rounds: int = 8,
    iterations: int = 2,
    seconds: float = 600,
    json_path: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Measure iterations of a bundle's training and print them as a table.

    Args:
        bundle: the bundle's folder.
        settings: pairs ``NAME=VALUE`` of the environment, with commas between; an empty text is PyTorch's default.
        competitors: numbers of busy loops; by default none and one for each core.
        rounds: how often each setting is timed beside each number of loops.
        iterations: in a round.
        seconds: after which the busy loops end by themselves.
        json_path: where to write the numbers, if anywhere.

    Returns:
        The seconds of an iteration: ``{number of loops: {setting: [each round]}}``.
    """
    loops = [0, len(os.sched_getaffinity(0))] if competitors is None else list(competitors)
    result: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        trainings = {
            name: stack.enter_context(RequestedTraining(bundle, iterations, _variables(name))) for name in settings
        }
        for training in trainings.values():
            training.seconds()  # to warm up
        for number in loops:
            times: dict[str, list[float]] = {name: [] for name in settings}
            with _busy_loops(number, seconds):
                for _ in range(rounds):
                    for name, training in trainings.items():
                        times[name].append(training.seconds() / iterations)
            print(_table(number, times), flush=True)
            result[str(number)] = times
    write_numbers(json_path, result)
    return result


def _table(number: int, times: dict[str, list[float]]) -> str:
    first = statistics.mean(next(iter(times.values())))
    lines = [f"beside {number} busy loops, load {os.getloadavg()[0]:.1f}, seconds of an iteration:"]
    lines += [
        f"  {name or 'as it is':28} mean {statistics.mean(spans):7.3f}  median {statistics.median(spans):7.3f}  "
        f"most {max(spans):7.3f}  first line's mean over this one {first / statistics.mean(spans):6.2f}"
        for name, spans in times.items()
    ]
    return "\n".join(lines)


@contextlib.contextmanager
def _busy_loops(number: int, seconds: float) -> Iterator[list[subprocess.Popen[bytes]]]:
    loops = [subprocess.Popen([sys.executable, "-c", LOOP.format(seconds=seconds)]) for _ in range(number)]
    try:
        yield loops
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _variables(setting: str) -> dict[str, str]:
    """Return the environment with a setting, and without the choices of who measures."""
    kept = {name: value for name, value in os.environ.items() if name not in CHOICES}
    return kept | dict(pair.split("=", 1) for pair in setting.split(",") if pair)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as the command line says, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m measurements.busy_machine", description=__doc__)
    parser.add_argument("--bundle", default="bundles/sepiad", help="the bundle's folder (default: %(default)s)")
    parser.add_argument(
        "--settings", nargs="+", default=SETTINGS, metavar="NAME=VALUE[,...]", help="'' is PyTorch's default"
    )
    parser.add_argument("--competitors", type=int, nargs="+", help="busy loops (default: 0, and one for each core)")
    parser.add_argument("--rounds", type=count, default=8, help="times each is timed (default: %(default)s)")
    parser.add_argument("--iterations", type=count, default=2, help="in a round (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=600, help="after which busy loops end (default: %(default)s)")
    add_json(parser)
    return run_measurement(measure_settings, **vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
