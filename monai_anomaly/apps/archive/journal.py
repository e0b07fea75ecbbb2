# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a shard's worker was at, written where the results go, so that the next one knows what ended it."""

from __future__ import annotations

import json

from monai_anomaly.apps.archive.place import ResultPlace

__all__ = ["FOLDER", "Journal", "file_phase"]

FOLDER = "work"

OPENING, TOGETHER, WRITING = "opening", "together", "writing"


def file_phase(index: int) -> str:
    """Return the phase in which the file of a place in its shard is scored alone."""
    return f"file {index}"


class Journal:
    """Counts in which phases of a shard's work processes ended, however they did.

    A worker that opens the journal and finds that another one was in a phase knows that this one ended there.

    Args:
        place: of the results.
        shard: its name.
    """

    def __init__(self, place: ResultPlace, shard: str) -> None:
        self._place, self._name = place, f"{FOLDER}/{shard}.json"
        content = place.read(self._name)
        known = {} if content is None else json.loads(content)
        self._deaths: dict[str, int] = known.get("deaths", {})
        if known:
            self._deaths[known["phase"]] = self.deaths(known["phase"]) + 1

    def deaths(self, phase: str) -> int:
        """Return how many processes ended in a phase."""
        return self._deaths.get(phase, 0)

    def enter(self, phase: str) -> None:
        """Write that a phase begins."""
        self._place.note(self._name, json.dumps({"phase": phase, "deaths": self._deaths}).encode())

    def remove(self) -> None:
        """Forget all: the shard is done, or its worker ends in order."""
        self._place.remove(self._name)
