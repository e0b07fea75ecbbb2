# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of an inference: what was found, most anomalous first, and what could not be judged or read.

It is of bounded size: the pictures are those of the cards that it is given, and a list that is longer than
:data:`LONGEST_LIST` ends with the number of the rest, which are in ``predictions.csv``.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monai_anomaly.report.card import Card, make_scale
from monai_anomaly.report.page_head import PageHead
from monai_anomaly.report.rendering import render

__all__ = ["LONGEST_LIST", "InferenceFacts", "render_inference"]

LONGEST_LIST = 1000
"""Images in one list without pictures."""

_Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class InferenceFacts:
    """What the page says of the run.

    ``threshold``, ``false_alarm_rate`` and ``n_patients`` are those of the calibration, None without one; ``details``
    are shown as a table.
    """

    head: PageHead
    map_range: tuple[float, float]
    threshold: float | None = None
    false_alarm_rate: float | None = None
    n_patients: int | None = None
    details: Mapping[str, Any]


@dataclass
class _Section:
    """Images with the same decision: those with pictures, and a list of others; ``count`` are all of them."""

    count: int = 0
    cards: list[Card] = field(default_factory=list)
    _others: list[tuple[float, int, _Record]] = field(default_factory=list)

    def add(self, number: int, record: _Record, card: Card | None) -> None:
        self.count += 1
        if card is not None:
            self.cards.append(card)
            return
        entry = (record["score"], -number, record)  # no two have the same number: records are not compared
        if len(self._others) < LONGEST_LIST:
            heapq.heappush(self._others, entry)
        else:
            heapq.heappushpop(self._others, entry)

    @property
    def most_anomalous(self) -> list[Card]:
        """The cards, highest score first."""
        return sorted(self.cards, key=lambda card: -card.score)

    @property
    def others(self) -> list[_Record]:
        """The highest scores among the rest, in order."""
        return [record for _, _, record in sorted(self._others, key=lambda entry: entry[:2], reverse=True)]

    @property
    def n_more(self) -> int:
        """How many are not on the page."""
        return self.count - len(self.cards) - len(self._others)


def render_inference(facts: InferenceFacts, records: Iterable[Mapping[str, Any]], cards: Mapping[int, Card]) -> str:
    """Return the page as text.

    Args:
        facts: for its head and its foot.
        records: those of :class:`~monai_anomaly.handlers.scoring.inference_writer.InferenceWriter`, in order.
        cards: of some scored images, by the number of their record.
    """
    sections = {decision: _Section() for decision in ("anomalous", "uncalibrated", "normal", "not_applicable")}
    not_scored: list[tuple[str, str]] = []
    n_not_scored = 0
    for number, record in enumerate(records):
        if record["status"] == "scored":
            sections[record["decision"]].add(number, record, cards.get(number))
            continue
        n_not_scored += 1
        if len(not_scored) < LONGEST_LIST:
            not_scored.append((record["image"], f"{record['status']}, {record['code']}: {record['reason']}"))
    return render(
        "inference.html.jinja",
        head=facts.head,
        facts=facts,
        scale=make_scale(facts.map_range),
        sections=sections,
        has_cards=bool(cards),
        not_scored=not_scored,
        n_not_scored=n_not_scored,
        n_scored=sum(section.count for section in sections.values()),
        details=list(facts.details.items()),
    )
