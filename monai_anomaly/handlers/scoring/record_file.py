# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""Records on disk as they are made: a crash, or a full disk, costs none that was written before."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from monai_anomaly.utils.atomic import atomic_path

__all__ = ["RecordFile", "read_records"]


class RecordFile:
    """A file with one JSON object in a line, called ``.partial`` until it is complete.

    Args:
        path: its final name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(f"{path.name}.partial")
        self.counts: Counter[str] = Counter()

    def start(self) -> None:
        """Begin anew: remove what an earlier run left."""
        self.counts = Counter()
        self.path.unlink(missing_ok=True)
        self.partial.write_bytes(b"")

    def append(self, record: Mapping[str, Any]) -> None:
        """Write a record and hand it to the system.

        Raises:
            OSError: when it cannot be written; the file ends with the one before.
        """
        # backslashreplace: a file name that is no UTF-8 becomes a JSON escape instead of an error
        line = (json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n").encode(errors="backslashreplace")
        with open(self.partial, "ab", buffering=0) as file:
            end = file.tell()
            try:
                while line:
                    line = line[file.write(line) :]  # of a file without a buffer it may be a part
            except OSError:
                with suppress(OSError):
                    file.truncate(end)
                raise
        self.counts[record["status"]] += 1

    def finish(self) -> None:
        """Give the file its final name, when its content is safe on the disk.

        Raises:
            OSError: when that cannot be done.
        """
        with atomic_path(self.path) as temporary:
            os.replace(self.partial, temporary)


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a complete file, one at a time."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
