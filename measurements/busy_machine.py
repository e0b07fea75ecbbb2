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
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from measurements.bundle_config import read_config, run_training
from measurements.command_line import add_json, run_measurement
from measurements.comparison import write_numbers
from measurements.epoch_timer import EpochTimer
from monai_anomaly.apps.arguments import count
from monai_anomaly.engines.trainer import ObjectiveTrainer
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
        trainings = {name: stack.enter_context(_Training(name, bundle, iterations)) for name in settings}
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


class _Training:
    """A training in a process with variables of its own, which goes on for some iterations when it is asked to."""

    def __init__(self, setting: str, bundle: str | os.PathLike[str], iterations: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="monai_anomaly-busy-")
        self._connection, other = multiprocessing.Pipe()
        variables = {name: value for name, value in os.environ.items() if name not in CHOICES}
        variables |= dict(pair.split("=", 1) for pair in setting.split(",") if pair)
        self._process = _spawn(variables, other, os.fspath(bundle), self._folder.name, iterations)
        other.close()

    def __enter__(self) -> _Training:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._folder.cleanup()

    def seconds(self) -> float:
        """Return how long some more iterations take on the clock."""
        self._connection.send(True)
        taken: float = self._connection.recv()
        return taken


def _spawn(variables: dict[str, str], *arguments: Any) -> BaseProcess:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        process = multiprocessing.get_context("spawn").Process(target=_train, args=arguments, daemon=True)
        process.start()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return process


def _train(connection: Connection, bundle: str, folder: str, iterations: int) -> None:
    os.dup2(2, 1)
    seldom = 10**9
    settings = {
        "output_dir": f"{folder}/output",
        "ckpt_dir": f"{folder}/models",
        "epoch_length": iterations,
        "device": "cpu",
        **dict.fromkeys(("max_epochs", "val_interval", "save_interval"), seldom),
    }
    config = read_config(bundle, "train", settings, None)
    config.parse()
    timer = _OnRequest(connection)
    run_training(config, lambda: timer.attach(config.get_parsed_content("train#trainer")))


class _OnRequest(EpochTimer):
    """Has an epoch wait until it is asked for, and answers with its seconds."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def _start(self, trainer: ObjectiveTrainer) -> None:
        self._connection.recv()
        super()._start(trainer)

    def time_others(self, trainer: ObjectiveTrainer) -> None:
        self._connection.send(self.iterations.wall)


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
