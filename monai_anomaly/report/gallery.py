# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""Which images of an evaluation a person should see, kept in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["MOST_REFUSED", "Gallery", "Picture"]

MOST_REFUSED = 20
"""Images of the input guard's refusals that a gallery keeps beside the others."""


@dataclass
class Picture:
    """One image to show, on the CPU.

    ``image`` is ``(C, H, W)``, ``anomaly_map`` ``(H, W)``, ``mask`` ``(H, W)`` or None, ``reconstruction``
    ``(C, H, W)`` or None; all as the network saw or gave them. ``label`` is 0 normal, 1 abnormal, None where nobody
    knows. ``decision`` is one of :data:`monai_anomaly.calibration.decision.DECISIONS`, ``p_value`` None where there is
    no calibration. ``aspect`` is the width over the height of what the network saw, before it was resized; None where
    the image itself has it. ``source`` is to be shown in place of ``image``: the same before it was resized, in [0, 1];
    or None.
    """

    name: str
    label: int | None
    score: float
    image: npt.NDArray[np.float32]
    anomaly_map: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_] | None = None
    reconstruction: npt.NDArray[np.float32] | None = None
    decision: str = ""
    p_value: float | None = None
    aspect: float | None = None
    source: npt.NDArray[np.float32] | None = None


@dataclass
class _Best:
    """The ``size`` entries with the largest keys; the earlier one where keys are equal."""

    size: int
    heap: list[tuple[float, int, Picture]] = field(default_factory=list)

    def wants(self, key: float) -> bool:
        return self.size > 0 and (len(self.heap) < self.size or key > self.heap[0][0])

    def add(self, key: float, order: int, picture: Picture) -> None:
        if len(self.heap) < self.size:
            heapq.heappush(self.heap, (key, -order, picture))
        elif self.wants(key):
            heapq.heapreplace(self.heap, (key, -order, picture))

    def sorted(self) -> list[Picture]:
        return [picture for _, _, picture in sorted(self.heap, key=lambda entry: entry[:2], reverse=True)]


class Gallery:
    """Keeps the most anomalous images, and the ones that a score gets most wrong.

    Of ``size`` images, two thirds are the highest scores, one sixth the abnormal images with the lowest scores and one
    sixth the normal images with the highest scores. The first :data:`MOST_REFUSED` images that the input guard refused
    (``decision`` ``"not_applicable"``) are kept beside them. No more than these are held at any time.

    Args:
        size: number of images; 0 for none.

    Raises:
        ValueError: when ``size`` is negative.
    """

    def __init__(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"gallery must be the number of images to show, 0 or more, got {size}.")
        aside = size // 6
        self._highest = _Best(size - 2 * aside)
        self._missed = _Best(aside)
        self._alarms = _Best(aside)
        self._most_refused = MOST_REFUSED if size else 0
        self._refused: list[Picture] = []
        self._seen = 0

    def wants(self, label: int, score: float, decision: str = "") -> bool:
        """Whether an image with this score would be kept: ask before its pixels are copied."""
        side, key = (self._missed, -score) if label else (self._alarms, score)
        return self._highest.wants(score) or side.wants(key) or self._wants_refused(decision)

    def _wants_refused(self, decision: str) -> bool:
        return decision == "not_applicable" and len(self._refused) < self._most_refused

    def add(self, picture: Picture) -> None:
        """Offer an image."""
        self._seen += 1
        side, key = (self._missed, -picture.score) if picture.label else (self._alarms, picture.score)
        self._highest.add(picture.score, self._seen, picture)
        side.add(key, self._seen, picture)
        if self._wants_refused(picture.decision):
            self._refused.append(picture)

    @property
    def most_anomalous(self) -> list[Picture]:
        """Highest score first."""
        return self._highest.sorted()

    @property
    def missed(self) -> list[Picture]:
        """Abnormal images, lowest score first, without those among the most anomalous."""
        return self._rest(self._missed)

    @property
    def false_alarms(self) -> list[Picture]:
        """Normal images, highest score first, without those among the most anomalous."""
        return self._rest(self._alarms)

    @property
    def refused(self) -> list[Picture]:
        """The first that the input guard refused, in order, whether or not they are in another list."""
        return list(self._refused)

    @property
    def other_refused(self) -> list[Picture]:
        """Those of them that are in no other list."""
        return _without(self._refused, self.most_anomalous + self.missed + self.false_alarms)

    @property
    def pictures(self) -> list[Picture]:
        """All of them, each once."""
        return self.most_anomalous + self.missed + self.false_alarms + self.other_refused

    def _rest(self, side: _Best) -> list[Picture]:
        return _without(side.sorted(), self.most_anomalous)


def _without(pictures: Sequence[Picture], shown: Sequence[Picture]) -> list[Picture]:
    known = {id(picture) for picture in shown}
    return [picture for picture in pictures if id(picture) not in known]
