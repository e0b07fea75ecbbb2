# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""Records on disk batch by batch: a crash, or a full disk, costs none that was written before."""

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
        self._waiting: list[tuple[str, bytes]] = []

    def start(self) -> None:
        """Begin anew: remove what an earlier run left."""
        self.counts, self._waiting = Counter(), []
        self.path.unlink(missing_ok=True)
        self.partial.write_bytes(b"")

    def append(self, record: Mapping[str, Any]) -> None:
        """Take a record; it is written with the next :meth:`flush`."""
        # backslashreplace: a file name that is no UTF-8 becomes a JSON escape instead of an error
        line = (json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n").encode(errors="backslashreplace")
        self._waiting.append((str(record["status"]), line))
        self.counts[str(record["status"])] += 1

    def flush(self) -> None:
        """Hand the records that wait to the system, all of them or none.

        Raises:
            OSError: when they cannot be written; the file ends with those before, and these are not counted.
        """
        waiting, self._waiting = self._waiting, []
        lines = b"".join(line for _, line in waiting)
        with open(self.partial, "ab", buffering=0) as file:
            end = file.tell()
            try:
                while lines:
                    lines = lines[file.write(lines) :]  # of a file without a buffer it may be a part
            except OSError:
                self.counts.subtract(status for status, _ in waiting)
                with suppress(OSError):
                    file.truncate(end)
                raise

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
