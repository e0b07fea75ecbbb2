# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Fresh processes that find MONAI imported: the import alone takes longer than all else that such a test does."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.helpers.repository import ROOT

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["monai.bundle", "monai_anomaly.bundle"])


class FreshProcess:
    """A function in a process of its own, forked from one that has imported MONAI and done nothing else.

    Args:
        function: of a module, so that it can be named there, with its arguments.
        environment: all variables of the environment; those of this process, if not given.
        folder: the working directory.
    """

    def __init__(
        self, function: Callable[..., Any], *arguments: Any, environment: Mapping[str, str] | None = None, folder=ROOT
    ) -> None:
        self._printed = tempfile.TemporaryDirectory()
        variables = dict(os.environ if environment is None else environment)
        target = (self._printed.name, str(folder), variables, function, arguments)
        self._process = CONTEXT.Process(target=_run, args=target)
        self._process.start()

    @property
    def pid(self) -> int:
        """Return the process' number."""
        return self._process.pid

    def wait(self, limit: float = 300) -> subprocess.CompletedProcess[str]:
        """Return how it ended and what it printed; it is killed at the limit, in seconds."""
        self._process.join(limit)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        with self._printed as folder:
            out, err = (Path(folder, name).read_text(errors="replace") for name in ("out", "err"))
        return subprocess.CompletedProcess([], self._process.exitcode, out, err)


def run_fresh(function: Callable[..., Any], *arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a function in a fresh process."""
    return FreshProcess(function, *arguments, **options).wait()


def run_module(module: str, *words: str) -> None:
    """Do what ``python -m`` does, in this process."""
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _run(printed: str, folder: str, variables: dict[str, str], function: Callable[..., Any], arguments: Any) -> None:
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(printed, name), os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    try:
        function(*arguments)
    except Exception:  # the interpreter would ask the hook, multiprocessing does not
        sys.excepthook(*sys.exc_info())
        raise SystemExit(1) from None
