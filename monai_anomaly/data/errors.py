# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The two errors that bad input ends in."""

from __future__ import annotations

__all__ = ["DataListError", "ImageReadError", "find_read_error"]


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
