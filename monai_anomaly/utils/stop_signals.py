# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""SIGTERM and Ctrl-C end a run at its next step, with one sentence; a second one ends it at once.

Programs that import this package keep their own rules: only ``python -m monai.bundle``, and the command above it, ask
for these with :func:`watch_signals`.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from types import FrameType

__all__ = ["advise", "end_if_asked", "is_asked", "wait_for_steps", "watch_signals"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Stop:
    """What this process was asked for.

    Attributes:
        asked: the signal's number; 0 for none.
        waits: whether somebody looks after each step, so that the end can wait for that.
        done: how far the run is, in words.
        advice: what to do next, in words.
    """

    asked = 0
    waits = False
    done = ""
    advice = ""


def watch_signals() -> None:
    """Take both signals, in a program's main thread; one that is ignored, as with ``nohup``, stays so."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _on_signal)


def wait_for_steps(waits: bool) -> None:
    """Let a signal wait for the next call of :func:`end_if_asked`, or let it end the program where it is."""
    _Stop.waits = waits


def is_asked(done: str) -> bool:
    """Return whether the run is to end now.

    Args:
        done: how far it is, for the sentence.
    """
    _Stop.done = done
    return _Stop.asked > 0


def advise(sentence: str) -> None:
    """Say what whoever ends the run can do next."""
    _Stop.advice = sentence


def end_if_asked() -> None:
    """End the program where a signal asked for it.

    Raises:
        SystemExit: with 128 and the signal's number, 143 for SIGTERM and 130 for Ctrl-C.
    """
    if _Stop.asked:
        _end(_Stop.asked)


def _on_signal(number: int, frame: FrameType | None) -> None:
    for each in _SIGNALS:  # of the system, which also ends a step that never does
        signal.signal(each, signal.SIG_DFL)
    _Stop.asked = number
    if not _Stop.waits:
        _end(number)


def _end(number: int) -> None:
    parts = [f"ended by {signal.Signals(number).name}{_Stop.done and f' {_Stop.done}'}", _Stop.advice]
    bar = "\n" if _Stop.done else ""  # of the progress, whose line is not ended
    sentence = bar + "; ".join(part for part in parts if part)
    _Stop.asked, _Stop.done = 0, ""
    os.write(2, f"{sentence}.\n".encode(errors="backslashreplace"))  # print could be what was interrupted
    gc.freeze()  # or the interpreter looks through all that PyTorch and MONAI made once more, for seconds
    raise SystemExit(128 + number)
