# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Data elements by tag and name, their numbers, and pydicom without the warnings that quote them."""

from __future__ import annotations

import logging
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.dataset import Dataset

from monai_anomaly.data.errors import ImageReadError

__all__ = ["element", "numbers", "positive", "quiet_pydicom", "single", "word"]

LOGGERS = ("pydicom", "pydicom.pixels.decoders.base", "pydicom.pixels.utils")
"""pydicom's loggers that a reader can reach; a filter on a parent does not see its children's records."""

_quiet_lock = threading.Lock()
_quiet_users = 0
_quiet_stack = ExitStack()


def element(keyword: str) -> str:
    """Return a data element by tag and name, as the standard writes it, e.g. ``(0028,0010) Rows``."""
    tag = tag_for_keyword(keyword) or 0
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {dictionary_description(tag)}"


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Return the numbers of an element, an empty list when it is absent or empty.

    Args:
        dataset: the header.
        keyword: the element's DICOM keyword.

    Raises:
        ImageReadError: ``non_finite`` for anything that is not a finite number.
    """
    try:
        value: Any = dataset.get(keyword)
        if value is None or value == "":
            return []
        several = isinstance(value, (list, tuple)) or hasattr(value, "append")
        values = [float(v) for v in (value if several else [value])]
    except (TypeError, ValueError, OverflowError):
        raise ImageReadError("non_finite", f"{element(keyword)} is not a number; correct the export.") from None
    if not all(math.isfinite(v) for v in values):
        raise ImageReadError("non_finite", f"{element(keyword)} is not a finite number; correct the export.")
    return values


def single(dataset: Dataset, keyword: str) -> float | None:
    """Return the number of an element that has one, None when it is absent or empty.

    Args:
        dataset: the header.
        keyword: the element's DICOM keyword.

    Raises:
        ImageReadError: ``non_finite`` for anything that is not a finite number, ``inconsistent`` for several.
    """
    values = numbers(dataset, keyword)
    if len(values) > 1:
        raise ImageReadError("inconsistent", f"{element(keyword)} must be one number; correct the export.")
    return values[0] if values else None


def positive(dataset: Dataset, keyword: str, count: int) -> list[float] | None:
    """Return an element's ``count`` numbers above 0; None for anything else, which counts as absent.

    Args:
        dataset: the header.
        keyword: the element's DICOM keyword.
        count: how many numbers it must have.
    """
    try:
        values = numbers(dataset, keyword)
    except ImageReadError:
        return None
    return values if len(values) == count and min(values) > 0 else None


def word(dataset: Dataset, keyword: str) -> str:
    """Return an element's text without the padding, empty when it is absent.

    Args:
        dataset: the header.
        keyword: the element's DICOM keyword.
    """
    return str(dataset.get(keyword) or "").strip(" \0")


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom's warnings, which quote header values, off the terminal and out of logs; safe among threads."""
    global _quiet_users
    loggers = [logging.getLogger(name) for name in LOGGERS]
    with _quiet_lock:
        if _quiet_users == 0:
            _quiet_stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            for logger in loggers:
                logger.addFilter(_drop)
        _quiet_users += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_users -= 1
            if _quiet_users == 0:
                for logger in loggers:
                    logger.removeFilter(_drop)
                _quiet_stack.close()


def _drop(_: logging.LogRecord) -> bool:
    return False
