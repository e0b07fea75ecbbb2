# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The process that decodes: reads questions, writes answers, and may be killed by a file without harm to anybody.

:mod:`monai_anomaly.data.decoding.process` starts it. It ends when its input does, so it does not outlive who asks.
"""

from __future__ import annotations

import os
import signal
from io import FileIO
from typing import Any

from monai_anomaly.data.decoding.jobs import Job, do_job
from monai_anomaly.data.decoding.messages import pack_answer, pack_message, read_message, write_all
from monai_anomaly.data.decoding.open_file import load_decoder
from monai_anomaly.data.errors import ImageReadError

__all__ = ["main"]

MEMORY = 4 * 2**30
"""Bytes that decoding may take: twice ``max_bytes`` of :class:`.ReadLimits`, as a decoder may hold a file twice."""

PIPE = 2**20
"""Bytes of the pipe for answers, where the system lets it be chosen: fewer changes between the two processes."""


def main() -> None:
    """Answer until the input ends."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # meant for who asks, which may want to end in good order
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    questions, answers = _take_streams()
    _limit_memory()
    write_all(answers, pack_message({"ready": True}))
    loaded: set[str] = set()
    while True:
        try:
            question = read_message(questions.readinto)
        except EOFError:
            return
        answer: Any
        if question["kind"] not in loaded:  # not the file's time and memory
            _load(question["kind"])
            loaded.add(question["kind"])
            _limit_memory()
        _limit_time(question.pop("seconds"))
        try:
            answer = do_job(Job.from_plain(question))
        except ImageReadError as error:
            answer = error
        _limit_time(0)
        head, content = pack_answer(answer)
        write_all(answers, head)
        write_all(answers, content)


def _load(kind: str) -> None:
    module: Any = load_decoder(kind)
    if kind in ("nrrd", "metaimage"):
        module.load_itk()


def _take_streams() -> tuple[FileIO, FileIO]:
    """Return input and output of their own: what a library prints must not stand between two answers."""
    questions, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    try:
        import fcntl

        fcntl.fcntl(answers, fcntl.F_SETPIPE_SZ, PIPE)
    except (ImportError, AttributeError, OSError):
        pass  # slower, and the same
    return FileIO(questions, "r"), FileIO(answers, "w")


def _limit_memory() -> None:
    """Let the system refuse memory beyond what is there now and :data:`MEMORY`."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, most))
    except (ImportError, OSError, ValueError):
        pass  # no Linux: time and the limits on sizes remain


def _limit_time(seconds: float) -> None:
    """Let the system end this process when it has computed for so long; 0 lifts the limit."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


if __name__ == "__main__":
    main()
