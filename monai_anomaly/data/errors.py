# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The two errors that bad input ends in, whatever a library raises."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["DataListError", "ImageReadError", "boundary", "find_read_error"]


class ImageReadError(ValueError):
    """A file could not be turned into one well-defined image.

    The text names the thing that is wrong and the cure, never the file's path or a value of its header, so that it can
    be logged and written into a result. Whoever holds the data list adds the name of the entry.

    Args:
        code: short machine-readable reason, e.g. ``"not_dicom"``, ``"truncated"``, ``"missing_tag"``, ``"budget"``.
        message: one sentence for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)  # both in args: survives pickling between DataLoader workers
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class DataListError(ValueError):
    """A data folder or data list cannot be used; the text is one sentence with the cure."""


def find_read_error(error: BaseException | None) -> ImageReadError | None:
    """Return the :class:`ImageReadError` inside an exception chain, or None.

    MONAI's ``Compose`` wraps whatever a transform raises into a ``RuntimeError``; the cause is kept.

    Args:
        error: the exception that was caught.
    """
    while error is not None and not isinstance(error, ImageReadError):
        error = error.__cause__
    return error


@contextmanager
def boundary(what: str) -> Iterator[None]:
    """Turn whatever a decoding library raises into one :class:`ImageReadError`.

    ``StopIteration`` would end a DataLoader silently, ``MemoryError`` and ``RecursionError`` kill it; the text of the
    original is dropped, because libraries quote header values and paths in it.

    Args:
        what: the step, for the message, e.g. ``"decoding the PNG"``.

    Raises:
        ImageReadError: for every exception but ``KeyboardInterrupt``, ``SystemExit`` and ``GeneratorExit``.
    """
    try:
        yield
    except (ImageReadError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise ImageReadError("not_found", "the file does not exist; correct the path or remove the entry.") from None
    except PermissionError:
        raise ImageReadError("unreadable", "the file may not be read; grant permission to read it.") from None
    except IsADirectoryError:
        raise ImageReadError("unreadable", "this is a folder, not a file; list the files in it.") from None
    except MemoryError:
        raise ImageReadError("budget", f"{what} ran out of memory; export a smaller file.") from None
    except RecursionError:
        raise _too_deep(what) from None
    except EOFError:
        raise ImageReadError("truncated", f"the file ended while {what}; copy or export it again.") from None
    except OSError as error:  # also of decoders, which set no number
        if error.errno is None:
            raise _failed(what, error) from None
        reason = os.strerror(error.errno)
        raise ImageReadError(
            "unreadable", f"the file cannot be read ({reason}); make it readable, or remove it."
        ) from None
    except BaseException as error:  # decoders raise almost anything, StopIteration and RecursionError included
        raise _failed(what, error) from None


def _too_deep(what: str) -> ImageReadError:
    return ImageReadError(
        "budget", f"{what} went deeper than any image needs, into parts within parts; export the image again."
    )


def _failed(what: str, error: BaseException) -> ImageReadError:
    cause = error.__context__
    while cause is not None:  # pydicom makes an OSError of one that its innermost call ran into
        if isinstance(cause, RecursionError):
            return _too_deep(what)
        cause = cause.__context__
    return ImageReadError("decode_failed", f"{what} failed ({type(error).__name__}); export the file again.")
