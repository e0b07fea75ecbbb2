# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Decoding in a process of its own, with limits on time and memory; a file that breaks it costs that file.

A header says how large a picture is, and not how long its decoder takes: JPEG scans, tiles, chunks and nested sequences
cost time that no header announces, and decoders are libraries in C.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import isfinite

import numpy as np

from monai_anomaly.data.decoding.ahead import AskedAhead
from monai_anomaly.data.decoding.jobs import Job
from monai_anomaly.data.decoding.process import give_back_decoder, take_decoder
from monai_anomaly.data.frame_source import DecodedImage

__all__ = ["check_decode_limit", "decode_limited", "decoding_ahead"]


def check_decode_limit(seconds: float | None) -> float | None:
    """Return a limit unchanged.

    Raises:
        ValueError: for anything but None and a number above 0.
    """
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not (isfinite(seconds) and seconds > 0):
        raise ValueError(f"decode_limit must be a number of seconds above 0, or None for no limit, got {seconds!r}.")
    return seconds


def decode_limited(job: Job, seconds: float) -> DecodedImage | np.ndarray | int:
    """Return the answer to a question about a file, as :func:`.do_job` gives it, bit for bit.

    Args:
        job: the question.
        seconds: of computing, after which the file is refused.

    Raises:
        ImageReadError: whatever is wrong with the file; ``budget`` when it takes too long or too much memory,
            ``decode_failed`` when its decoder crashes.
        RuntimeError: when no process can be started.
    """
    ahead: AskedAhead | None = getattr(_of_thread, "ahead", None)
    if ahead is not None and ahead.has(job):
        return ahead.answer(job)
    decoder = take_decoder()
    try:
        return decoder.ask(job, seconds)
    finally:
        give_back_decoder(decoder)


@contextmanager
def decoding_ahead(jobs: Iterable[Job], seconds: float) -> Iterator[None]:
    """Have the process be at the next file while the caller, in this block, is busy with the one before.

    What :func:`decode_limited` returns or raises for each file is the same.

    Args:
        jobs: what this thread will ask, in this order. What it asks besides goes to another process, and what it does
            not ask has been decoded in vain.
        seconds: as of :func:`decode_limited`.
    """
    ahead = _of_thread.ahead = AskedAhead(jobs, seconds)
    try:
        yield
    finally:
        _of_thread.ahead = None
        ahead.end()


_of_thread = threading.local()
