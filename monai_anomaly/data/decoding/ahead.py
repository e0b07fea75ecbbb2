# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Questions that a decoder gets before it has answered the last one, so that it never waits for the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np

from monai_anomaly.data.decoding.jobs import Job
from monai_anomaly.data.decoding.process import Decoder, give_back_decoder, pack_question, take_decoder
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.frame_source import DecodedImage

__all__ = ["AskedAhead"]

MOST_AHEAD = 4
"""Questions under way: one that is answered, and some so that the process need not be woken for each."""

MOST_BYTES = 8192
"""Of those questions: a full pipe would have both sides wait for each other."""


class AskedAhead:
    """Asks a process for files in an order that is known, some of them ahead; for one thread.

    Args:
        jobs: the questions.
        seconds: of computing for each, after which its file is refused.
    """

    def __init__(self, jobs: Iterable[Job], seconds: float) -> None:
        self._seconds = seconds
        self._jobs = list(jobs)
        self._next = 0
        self._sent: deque[int] = deque()
        """Bytes of each question that has no answer yet."""
        self._decoder: Decoder | None = None

    def has(self, job: Job) -> bool:
        """Return whether a question is among those that were not asked yet."""
        return job in self._jobs[self._next :]

    def answer(self, job: Job) -> DecodedImage | np.ndarray | int:
        """Return the answer to such a question; those before it are passed over.

        Raises:
            ImageReadError: as of :func:`.decode_limited`.
            RuntimeError: when no process can be started.
        """
        while self._jobs[self._next] != job:
            try:
                self._take_next()
            except ImageReadError:
                pass  # of a file that nobody asked for
        return self._take_next()

    def end(self) -> None:
        """Give the process back, or end it where answers are under way that nobody waits for."""
        decoder, self._decoder = self._decoder, None
        if decoder is not None:
            decoder.usable = decoder.usable and not self._sent
            give_back_decoder(decoder)
        self._sent.clear()

    def _take_next(self) -> DecodedImage | np.ndarray | int:
        decoder = self._decoder = self._decoder or take_decoder()
        try:
            with decoder.waiting(self._seconds):
                self._send(decoder)
                return decoder.receive()
        finally:
            self._next += 1
            if decoder.ended:  # the others are sent again, to another process
                self._sent.clear()
                self._decoder = None
            else:
                self._sent.popleft()
                if not self._sent and not decoder.usable:
                    self.end()

    def _send(self, decoder: Decoder) -> None:
        """Send the next question, if it was not, and some of those behind it."""
        while len(self._sent) < MOST_AHEAD and not decoder.worn:
            at = self._next + len(self._sent)
            question = pack_question(self._jobs[at], self._seconds) if at < len(self._jobs) else b""
            if not question or (self._sent and sum(self._sent) + len(question) > MOST_BYTES):
                return
            self._sent.append(len(question))
            try:
                decoder.send(question)
            except OSError:
                if len(self._sent) == 1:
                    raise
                self._sent.pop()
                return  # what it answered before its end is read first
