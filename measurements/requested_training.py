# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A bundle's training in processes of its own, which goes on for some iterations whenever it is asked to."""

from __future__ import annotations

import multiprocessing
import os
import socket
import tempfile
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from measurements.bundle_config import read_config, run_training
from measurements.epoch_timer import EpochTimer
from monai_anomaly.engines.trainer import ObjectiveTrainer

__all__ = ["RequestedTraining"]

SELDOM = 10**9


class RequestedTraining:
    """Trains as ``training`` of a bundle does, on its phantom, with neither validation nor checkpoints.

    Args:
        bundle: the bundle's folder.
        iterations: at a request.
        variables: the environment of its processes, which PyTorch's threads read when it is loaded.
        processes: how many train together, each with a batch of its own.
    """

    def __init__(
        self, bundle: str | os.PathLike[str], iterations: int, variables: Mapping[str, str], processes: int = 1
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="monai_anomaly-requested-")
        pipes = [multiprocessing.Pipe() for _ in range(processes)]
        self._connections = [ours for ours, _ in pipes]
        ranks = _ranks(processes)
        self._processes = [
            _spawn({**variables, **rank}, other, os.fspath(bundle), self._folder.name, iterations)
            for rank, (_, other) in zip(ranks, pipes, strict=True)
        ]
        for _, other in pipes:
            other.close()

    def __enter__(self) -> RequestedTraining:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.join()
        self._folder.cleanup()

    def seconds(self) -> float:
        """Return how long some more iterations take on the clock, the slowest process's.

        Raises:
            EOFError: when a process has ended, after what it said.
        """
        for connection in self._connections:
            connection.send(True)
        taken: list[float] = [connection.recv() for connection in self._connections]
        return max(taken)


def _ranks(processes: int) -> list[dict[str, str]]:
    """Return what ``torchrun`` would tell each process; nothing to a single one."""
    if processes == 1:
        return [{}]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1]), "WORLD_SIZE": str(processes)}
    return [{**place, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]


def _spawn(variables: Mapping[str, str], *arguments: Any) -> BaseProcess:
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
    settings: dict[str, Any] = {
        "output_dir": f"{folder}/output",
        "ckpt_dir": f"{folder}/models",
        "cache_dir": f"{folder}/cache",
        "epoch_length": iterations,
        **dict.fromkeys(("max_epochs", "val_interval", "save_interval"), SELDOM),
    }
    overlays = ["multi_gpu_train"] if "WORLD_SIZE" in os.environ else []
    config = read_config(bundle, "train", settings, None, overlays)
    config.parse()
    config.get_parsed_content("initialize")
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
