# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""From frames to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Studies"]


class Studies:
    """Files with several frames count once, with the highest score, as in the bundles; incomplete ones not at all.

    Args:
        items: of all frames that could be read, as a cached data set has them.

    Attributes:
        names: of the files.
        labels: of the files.
        groups: their patients.
    """

    def __init__(self, items: Sequence[Mapping[str, Any]]) -> None:
        members: dict[int, list[int]] = {}
        for position, item in enumerate(items):
            members.setdefault(int(item["index"]), []).append(position)
        self.members = [m for m in members.values() if len(m) == int(items[m[0]].get("study_frames", 1))]
        firsts = [items[m[0]] for m in self.members]
        self.names = [str(item["name"]) for item in firsts]
        self.labels = [int(item["label"]) for item in firsts]
        self.groups = [str(item.get("group") or item["name"]) for item in firsts]

    def scores(self, scores: npt.NDArray[np.float64]) -> list[float]:
        """Return the score of each file, from those of all frames ``(N,)``."""
        return [float(scores[m].max()) for m in self.members]
