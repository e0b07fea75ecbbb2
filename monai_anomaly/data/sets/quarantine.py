# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What becomes of files that cannot be read when a whole data set is decoded: an error, or a list that is kept."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from monai_anomaly.data.errors import DataListError, ImageReadError, find_read_error
from monai_anomaly.utils.atomic import atomic_write

__all__ = ["Quarantine", "as_read_error"]

RULES = ("raise", "quarantine")
logger = logging.getLogger(__name__)


def as_read_error(error: BaseException | None) -> ImageReadError | None:
    """Return the read error that an exception stands for, None for any other.

    Beside :class:`~monai_anomaly.data.errors.ImageReadError` these are exceptions that a decoder deep inside raises for
    a bad file and that must not travel on: ``StopIteration`` ends the loop around it in silence, ``MemoryError`` and
    ``RecursionError`` are about the file, not about the program.

    Args:
        error: the exception that was caught; its causes are looked at too.
    """
    failure = find_read_error(error)
    while failure is None and error is not None:
        if isinstance(error, MemoryError):
            return ImageReadError("budget", "decoding the image ran out of memory; export a smaller file.")
        if isinstance(error, (StopIteration, RecursionError)):
            return ImageReadError(
                "decode_failed", f"decoding the image failed ({type(error).__name__}); export the file again."
            )
        error = error.__cause__
    return failure


class Quarantine:
    """Collects the files of one data set that cannot be read.

    Args:
        on_bad: ``"raise"`` ends with the first one, ``"quarantine"`` leaves them out.
        max_bad_share: share of the data set, 0 to 1, above which it is refused nevertheless.
        path: where the list is written, one JSON object a line with ``name``, ``index``, ``code`` and ``reason``; None
            for no file. Missing folders are made.

    Raises:
        ValueError: for a value that is not allowed.
    """

    def __init__(self, on_bad: str, *, max_bad_share: float, path: str | PathLike[str] | None) -> None:
        if on_bad not in RULES:
            raise ValueError(f"on_bad must be one of {', '.join(RULES)}, got {on_bad!r}.")
        if (
            isinstance(max_bad_share, bool)
            or not isinstance(max_bad_share, (int, float))
            or not 0 <= max_bad_share <= 1
        ):
            raise ValueError(f"max_bad_share must be a number from 0 to 1, got {max_bad_share!r}.")
        self.on_bad = on_bad
        self.max_bad_share = max_bad_share
        self.path = None if path is None else Path(path).expanduser()
        self.items: list[dict[str, Any]] = []

    def add(self, item: Mapping[str, Any], index: int, failure: ImageReadError) -> None:
        """Note a file, or raise.

        Args:
            item: the item of the data list.
            index: its position in the data.
            failure: why it cannot be read.

        Raises:
            ImageReadError: with ``on_bad="raise"``; names the entry.
        """
        name = str(item.get("name", ""))
        if self.on_bad == "raise":
            place = f"entry {index} ({name})" if name else f"entry {index}"
            raise ImageReadError(failure.code, f"{place}: {failure.message}")
        self.items.append(
            {"name": name, "index": item.get("index", index), "code": failure.code, "reason": failure.message}
        )

    def close(self, total: int) -> None:
        """Write the list, say what is in it, and decide whether what is left is a data set.

        Args:
            total: number of files that were tried.

        Raises:
            DataListError: when too many or all of them are bad; the list is written by then.
        """
        if self.on_bad == "raise":
            return
        if self.path is not None:  # also an empty one, so that the list is never that of another run
            self.path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(self.path, "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in self.items))
        if not self.items:
            return
        bad = len(self.items)
        codes = ", ".join(f"{code} {n}" for code, n in sorted(Counter(item["code"] for item in self.items).items()))
        logger.warning("%d of %d images cannot be read and are left out: %s.", bad, total, codes)
        listed = "; the quarantine list names them" if self.path is not None else ""
        if bad == total or bad / total > self.max_bad_share:
            raise DataListError(
                f"{bad} of {total} images cannot be read ({codes}), more than max_bad_share={self.max_bad_share:g} "
                f"allows{listed}; correct or remove the files, or raise max_bad_share."
                if bad < total
                else f"none of the {total} images can be read ({codes}){listed}; correct or replace the files."
            )
