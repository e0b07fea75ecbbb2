# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An error of the user's as one sentence instead of a traceback, for ``python -m monai.bundle``.

There, no frame is ours: ``fire.Fire()`` in ``monai/bundle/__main__.py`` calls MONAI, MONAI runs the configuration, and
nothing between that and the end of the program catches an error. What Python then prints is left to
``sys.excepthook``, which is documented to be replaced by programs that print something else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from traceback import walk_tb
from types import TracebackType

__all__ = ["causes", "end_with_a_sentence"]

Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]


def end_with_a_sentence() -> None:
    """Replace the traceback of an error of ours by its sentence, and name the root of any other; once is enough."""
    if not isinstance(sys.excepthook, _SentenceHook):
        sys.excepthook = _SentenceHook(sys.excepthook)


class _SentenceHook:
    """Prints what an error that nobody caught has to say.

    Args:
        otherwise: prints the errors that are not ours.
    """

    def __init__(self, otherwise: Hook) -> None:
        self._otherwise = otherwise

    def __call__(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        chain = list(causes(error))
        ours = next((cause for cause in reversed(chain) if _is_ours(cause)), None)
        if ours is not None:
            print(f"error: {ours}", file=sys.stderr)
            return
        self._otherwise(kind, error, traceback)
        root = chain[-1]
        if root is not error:
            print(f"the cause: {type(root).__name__}: {root}", file=sys.stderr)


def _is_ours(error: BaseException) -> bool:
    """Whether this package found the fault: by the error's class, or by where a plain error was raised."""
    if type(error).__module__.startswith("monai_anomaly."):
        return True
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return (
        isinstance(error, (ValueError, RuntimeError, OSError))
        and bool(frames)
        and str(frames[-1].f_globals.get("__name__", "")).startswith("monai_anomaly.")
    )


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from, as a traceback would tell it, the root last."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
