# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An archive in shards, each of which is scored by one worker and written as a whole."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Shard", "cut_shards"]


@dataclass(frozen=True)
class Shard:
    """Some files of an archive.

    Args:
        number: from 0.
        items: of its files, as :func:`~monai_anomaly.apps.archive.inputs.list_inputs` gives them.
    """

    number: int
    items: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """Begins the names of the files that it leaves."""
        return f"part-{self.number:06d}"

    def pack(self) -> bytes:
        """Return the shard as bytes, a tenth of its text, to be sent to a worker."""
        return zlib.compress(json.dumps([self.number, self.items]).encode("ascii"))

    @classmethod
    def unpack(cls, data: bytes) -> Shard:
        """Return the shard that was packed."""
        return cls(*json.loads(zlib.decompress(data)))


def cut_shards(items: Sequence[dict[str, Any]], size: int) -> list[Shard]:
    """Return shards of `size` files each, in order; the last may have fewer."""
    return [Shard(n, list(items[start : start + size])) for n, start in enumerate(range(0, len(items), size))]
