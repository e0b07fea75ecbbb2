# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Files of an object store, brought to a folder while they are scored: the reader takes paths."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from monai_anomaly.apps.archive.inputs import is_url
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.file_kind import SUFFIXES
from monai_anomaly.data.sets.input_digest import LONGEST_FILE

__all__ = ["Fetched", "FetchingError", "fetched"]

THREADS = 8
AHEAD = 64
"""Files that are there before they are asked for."""

PAUSES = (1.0, 5.0, 20.0)
"""Seconds before another try: that a store does not answer is no property of a file."""


class FetchingError(RuntimeError):
    """An object store that does not give a file which it has."""


class Fetched:
    """A file that can be read here, or why it cannot.

    Args:
        item: of the file, with ``image``, a path.
        refusal: why it cannot be read; None where it can.
        temporary: the file, where it is a copy.
    """

    def __init__(self, item: dict[str, Any], refusal: ImageReadError | None = None, temporary: Path | None = None):
        self.item, self.refusal, self._temporary = item, refusal, temporary

    def discard(self) -> None:
        """Remove a copy; the file is not needed any more."""
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)


def fetched(items: Iterable[dict[str, Any]], folder: Path) -> Generator[Fetched, None, None]:
    """Yield the files of items in their order, some of them ahead; whoever takes one discards it.

    Args:
        items: with ``image``, a path or a URL.
        folder: for copies, which are there until they are discarded; its owner removes those that never are.

    Raises:
        FetchingError: when a store gives a file to none of several tries.
    """
    with ThreadPoolExecutor(THREADS) as threads:
        rest = iter(items)

        def start(item: dict[str, Any]) -> Future[Fetched]:
            return threads.submit(_fetch, item, folder)

        ahead = deque(start(item) for item in islice(rest, AHEAD))
        while ahead:
            ready = ahead.popleft().result()
            ahead.extend(start(item) for item in islice(rest, 1))
            yield ready


def _fetch(item: dict[str, Any], folder: Path) -> Fetched:
    if not is_url(str(item["image"])):
        return Fetched(item)
    system, path = fsspec.core.url_to_fs(item["image"])
    if isinstance(system, LocalFileSystem):
        return Fetched({**item, "image": path})
    suffix = next((each for each in SUFFIXES if path.lower().endswith(each)), "")
    target = folder / f"{item['index']:09d}{suffix}"
    for pause in (*PAUSES, None):
        try:
            if (system.info(path).get("size") or 0) > LONGEST_FILE:
                return Fetched(item, ImageReadError("budget", "the file has more than 4 GiB; export a smaller one."))
            system.get_file(path, str(target))
            return Fetched({**item, "image": str(target)}, temporary=target)
        except FileNotFoundError:
            text = "the file does not exist; correct the path or remove the entry."
            return Fetched(item, ImageReadError("not_found", text))
        except PermissionError:
            text = "the file may not be read; grant permission to read it."
            return Fetched(item, ImageReadError("unreadable", text))
        except Exception as error:  # every store has errors of its own
            if pause is None:
                raise FetchingError(
                    f"a file could not be fetched from its store ({type(error).__name__}); look after the store, and "
                    "go on with --resume."
                ) from None
            time.sleep(pause)
    raise AssertionError("the last try returns or raises")
