# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Ray, started for one run and on this machine alone, or a cluster that runs already."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from monai_anomaly.apps.archive.options import RunOptions
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["count_gpus", "ray_session"]

PREFIX = "maray-"
LONGEST_FOLDER = 15
"""Letters of the folder for temporary files, beyond which the names of Ray's sockets are too long for the system."""

TRIES = 3
"""Ray gives up when its processes have not started in half a minute, as on a machine with much else to do."""

OWN = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on every system: servers listen on the loopback address only
    "RAY_AUTH_MODE": "token",  # which other users of this machine can reach
}
ALWAYS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}


@contextmanager
def ray_session(options: RunOptions, threads: int) -> Iterator[str | None]:
    """Connect to Ray's cluster, or start Ray here; end it afterwards.

    Args:
        options: where, and how many workers.
        threads: cores of each worker.

    Yields:
        A folder for workers' files, removed with all else that Ray keeps; None on a cluster.

    Raises:
        ConfigError: when there is no cluster, or Ray cannot be started.
    """
    for name, value in ALWAYS.items():
        os.environ.setdefault(name, value)
    if options.address is not None:
        with _connected(address=options.address):
            yield None
        return
    folder = _own_folder()
    (folder / "work").mkdir()
    own = {**OWN, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    cores = {"num_cpus": options.workers * threads} if options.workers else {}
    try:
        with _connected(
            address="local",
            include_dashboard=False,
            object_store_memory=options.object_store_mib * 2**20,
            _temp_dir=str(folder / "ray"),  # which Ray opens to everybody; nobody gets through the folder above
            **cores,
        ):
            _require_loopback()
            yield str(folder / "work")
    finally:
        for name, known in before.items():
            if known is None:
                del os.environ[name]
            else:
                os.environ[name] = known
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _connected(**how: Any) -> Iterator[None]:
    import ray

    for rest in reversed(range(TRIES)):
        try:
            with _own_signals():
                ray.init(log_to_driver=False, logging_level=logging.ERROR, **how)
            break
        except Exception as error:  # of Ray, which has no class of its own for it
            ray.shutdown()
            if not rest or how["address"] != "local":
                raise ConfigError(_why_not(how["address"], error)) from None
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this program's handlers: Ray's end it at SIGTERM without a word, and leave what it began."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _require_loopback() -> None:
    """Refuse a Ray that other machines can reach."""
    import ray

    address = ray.nodes()[0]["NodeManagerAddress"]
    if not ip_address(address).is_loopback:
        raise ConfigError(
            "Ray was imported before, and would listen on the network; score the archive in a new process."
        )


def _why_not(address: str, error: Exception) -> str:
    if address == "local":
        return (
            f"Ray cannot be started on this machine ({type(error).__name__}); close what keeps it busy, and try again."
        )
    return f"there is no Ray cluster at '{address}' ({type(error).__name__}); start one, or leave --address out."


def count_gpus() -> int:
    """Return how many GPUs there are: in the cluster that this process is connected to, else in this machine."""
    ray = sys.modules.get("ray")  # which reads the environment when it is imported: not before it is set
    if ray is not None and ray.is_initialized():
        return int(ray.cluster_resources().get("GPU", 0))
    import torch

    return torch.cuda.device_count()


def _own_folder() -> Path:
    """Make a folder that only this user reads, and remove those of processes that were killed."""
    root = Path(tempfile.gettempdir())
    if len(str(root)) > LONGEST_FOLDER:
        root = Path("/tmp")
    for path in root.glob(f"{PREFIX}*"):
        number = path.name.removeprefix(PREFIX).partition("-")[0]
        with suppress(OSError):  # of another user, or removed by somebody else
            if number.isdigit() and path.stat().st_uid == os.getuid() and not _runs(int(number)):
                shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=root))


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
