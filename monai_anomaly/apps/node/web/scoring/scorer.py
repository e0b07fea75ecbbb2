# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Scores files that are handed in for an answer at once, in a process of its own that can be ended."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["Scorer", "ScoringBusyError", "ScoringFailedError"]

COMMAND = (sys.executable, "-m", "monai_anomaly.apps.node.web.scoring.child")

_START_SECONDS = 120.0
_WAIT_SECONDS = 10.0
_LONGEST_ANSWER = 4 << 20


class ScoringBusyError(RuntimeError):
    """Others wait already."""


class ScoringFailedError(RuntimeError):
    """No answer in time, or the process died of the file."""


class Scorer:
    """One file at a time; the process is started at the first one and kept.

    It shares nothing with the workers: it takes no job, stores nothing, and its memory is given back when it ends.

    Args:
        options: of :func:`monai_anomaly.bundle.loading.load`, with ``checkpoint``; plain values.
        seconds: for a file; then the process is ended.
        command: that answers as :mod:`.child` does.
    """

    def __init__(self, options: Mapping[str, Any], seconds: float, command: Sequence[str] = COMMAND) -> None:
        self._options = dict(options)
        self._seconds = seconds
        self._command = list(command)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def score(self, path: Path) -> dict[str, Any]:
        """Return the record of a file, also of one that the reader refuses.

        Raises:
            ScoringBusyError: when others wait already.
            ScoringFailedError: when there is no answer in time, or the process died.
            ConfigError: when the detector cannot be loaded.
        """
        if not self._lock.acquire(timeout=_WAIT_SECONDS):
            raise ScoringBusyError("another file is being scored; try again")
        try:
            self._start()
            return self._ask(str(path), self._seconds)["record"]
        except BaseException:
            self._end()
            raise
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._end()
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        answer = self._ask(self._options, _START_SECONDS)
        if "problem" in answer:
            raise ConfigError(answer["problem"])

    def _ask(self, what: Any, seconds: float) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise ScoringFailedError("the scoring process is gone")
        try:
            process.stdin.write(json.dumps(what).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            raise ScoringFailedError("the scoring process is gone") from None
        return json.loads(self._line(process.stdout.fileno(), time.monotonic() + seconds))

    def _line(self, descriptor: int, until: float) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise ScoringFailedError("it took too long")
                piece = os.read(descriptor, 1 << 16)
                if not piece or len(self._rest) > _LONGEST_ANSWER:
                    raise ScoringFailedError("the scoring process died of it")
                self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _end(self) -> None:
        process, self._process, self._rest = self._process, None, b""
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
