# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The processes that decode: how they are started, asked, kept for the next file, and ended.

One starts with the first file, in a tenth to half a second, and serves all readers; several threads have one each. It
is started anew and never forked, so that it holds nothing of PyTorch.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic, sleep
from typing import Any, cast

import numpy as np

from monai_anomaly.data.decoding.jobs import Job
from monai_anomaly.data.decoding.messages import pack_message, read_answer, read_message, write_all
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.frame_source import DecodedImage

__all__ = ["Decoder", "end_decoders", "give_back_decoder", "pack_question", "take_decoder"]

PATIENCE = 6
"""Wall-clock seconds for each second of computing, on a machine with more to do; then the process is ended, too."""

START = 120.0
"""Seconds after which a process that does not start is given up."""

LOOK = 0.5
"""Seconds between two looks at the clock."""

MOST_FILES = 1000
"""Files after which a process is replaced: what a decoder leaks must not add up to the limit of memory."""

KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**26)}
"""Of the GNU C library: pieces below 32 MiB are kept, 64 MiB at most. Others have no such variables."""

MODULE = "monai_anomaly.data.decoding.worker"


def take_decoder() -> Decoder:
    """Return a process that waits, or a new one; give it back.

    Raises:
        RuntimeError: when none can be started.
    """
    while True:
        try:
            decoder = _idle.pop()
        except IndexError:
            _start_watch()
            return Decoder()
        if decoder.alive():
            return decoder
        decoder.end()


def give_back_decoder(decoder: Decoder) -> None:
    """Keep a process for the next file, or end it where it must not have another."""
    if decoder.usable:
        _idle.append(decoder)
    else:
        decoder.end()


def end_decoders() -> None:
    """End the processes that wait for files; the next file starts one."""
    while _idle:
        _idle.pop().end()


class Decoder:
    """One process and the two pipes to it; for one thread at a time.

    Attributes:
        usable: whether it may be asked for another file.
        late: whether it was ended because an answer was overdue.

    Raises:
        RuntimeError: when it cannot be started.
    """

    def __init__(self) -> None:
        self.usable = False
        self._files = 0
        self._deadline = inf
        self._lock = threading.Lock()
        self.late = False
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {MODULE} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries quote headers
            bufsize=0,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for who asks
        )
        self._questions, self._answers = cast(Any, self._process.stdin), cast(Any, self._process.stdout)
        _all.add(self)
        try:
            self._deadline = monotonic() + START
            read_message(self._answers.readinto)
        except (EOFError, ValueError):
            self.end()
            raise RuntimeError(
                "the process that decodes files cannot be started; set decode_limit to None ('$None' on a command "
                "line) to decode without one, where every file can be trusted."
            ) from None
        self._rest()

    def alive(self) -> bool:
        """Return whether it still runs; nobody's file is to blame when it has ended between two."""
        return self._process.poll() is None

    @property
    def ended(self) -> bool:
        """Whether it was ended, or found to have ended by itself."""
        return self._process.returncode is not None

    @property
    def worn(self) -> bool:
        """Whether it had as many files as it may have."""
        return self._files >= MOST_FILES

    def ask(self, job: Job, seconds: float) -> DecodedImage | np.ndarray | int:
        """Return the answer to a question; arguments and errors as of :func:`.decode_limited`."""
        with self.waiting(seconds):
            self.send(pack_question(job, seconds))
            return self.receive()

    @contextmanager
    def waiting(self, seconds: float) -> Iterator[None]:
        """Wait in this block no longer than an answer may take, and say what the end of the process means.

        Args:
            seconds: of computing, after which the process ends.

        Raises:
            ImageReadError: when it ended; its file is the one whose answer is waited for.
        """
        self.usable = False
        try:
            self._deadline = monotonic() + PATIENCE * seconds
            yield
        except (EOFError, OSError):
            self.end()
            raise _describe_end(self.late, self._process.returncode, seconds) from None
        finally:
            self._rest()

    def send(self, question: bytes) -> None:
        """Hand over what :func:`pack_question` returned; answers come in the order of the questions.

        Raises:
            OSError: when the process has ended.
        """
        self._files += 1
        write_all(self._questions, question)

    def receive(self) -> DecodedImage | np.ndarray | int:
        """Return the next answer.

        Raises:
            EOFError: when the process has ended.
            ImageReadError: when that is the answer.
        """
        return read_answer(self._answers.readinto)

    def end(self) -> None:
        """End the process and wait for its end."""
        self.usable = False
        self._process.kill()
        self._process.wait()
        self.forget()
        _all.discard(self)

    def forget(self) -> None:
        """Close this process's ends of the pipes, and leave the process alone."""
        self._questions.close()
        self._answers.close()
        if self._process.returncode is None:
            self._process.returncode = 0  # of a parent: not ours to wait for

    def _rest(self) -> None:
        """Note that nobody waits for an answer."""
        with self._lock:
            self._deadline = inf
            ended = self.late or self.ended
            self.usable = not (ended or self.worn)

    def end_if_late(self) -> None:
        """End the process when its answer is overdue; whoever waits for it is told by the end of the pipe."""
        with self._lock:
            if monotonic() > self._deadline:
                self.late = True
                self._process.kill()


def pack_question(job: Job, seconds: float) -> bytes:
    """Return a question as it is sent."""
    return pack_message({**job.to_plain(), "seconds": seconds})


def _environment() -> dict[str, str]:
    """Return the variables of the process: modules come from where this one has them, never from the current folder.

    Its memory is not given back after each picture, whose pages the system would have to clear for the next one.
    """
    return {
        **KEPT_MEMORY,
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONSAFEPATH": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _describe_end(late: bool, returned: int | None, seconds: float) -> ImageReadError:
    """Return why a file has no answer."""
    too_long = late or (returned is not None and -returned == getattr(signal, "SIGPROF", None))
    if too_long:
        return ImageReadError(
            "budget",
            f"decoding took more than decode_limit={seconds:g} seconds; raise it, or export the image again.",
        )
    if returned is not None and -returned == getattr(signal, "SIGKILL", None):
        return ImageReadError(
            "budget", "the system ended the decoder, as it does when memory runs out; export a smaller file."
        )
    return ImageReadError("decode_failed", "the decoder crashed on this file; export it again.")


def _start_watch() -> None:
    """Start the one thread that looks after all processes; asking it for each file would take longer than a picture."""
    global _watch
    with _watch_lock:
        if _watch is None:
            _watch = threading.Thread(target=_watch_all, name="decode_limit", daemon=True)
            _watch.start()


def _watch_all() -> None:
    while True:
        sleep(LOOK)
        for decoder in _all.copy():
            decoder.end_if_late()


def _forget_all() -> None:
    """Leave the processes of a parent alone: each side of a fork has its own."""
    global _watch, _watch_lock
    _idle.clear()
    for decoder in _all:
        decoder.forget()
    _all.clear()
    _watch, _watch_lock = None, threading.Lock()


_idle: list[Decoder] = []
_all: set[Decoder] = set()
_watch: threading.Thread | None = None
_watch_lock = threading.Lock()
atexit.register(end_decoders)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
