# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Counts what was said of many files, so that a thousand warnings are a line."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["GroupedSentences", "SentenceGroup"]

NUMBER = re.compile(r"(\([0-9A-F]{4},[0-9A-F]{4}\))|\d+(?:\.\d+)?")
"""A tag of DICOM, which says what a sentence is about, or a number, which does not."""


class SentenceGroup(NamedTuple):
    """Sentences that differ in a number only: how many, and the first with what it was said of."""

    times: int
    first: str
    text: str


class GroupedSentences:
    """Counts sentences; those that differ in a number only are one group, shown by its first.

    Example:
        >>> said = GroupedSentences()
        >>> for file, text in (("a", "3 pixels are white"), ("b", "no pixel is white"), ("c", "5 pixels are white")):
        ...     said.add(file, text)
        >>> said.groups()[0]
        SentenceGroup(times=2, first='a', text='3 pixels are white')
    """

    def __init__(self) -> None:
        self._groups: dict[str, SentenceGroup] = {}

    def add(self, of: str, text: str) -> None:
        """Count a sentence.

        Args:
            of: what it is said of.
            text: the sentence.
        """
        key = NUMBER.sub(lambda match: match[1] or "N", text)
        group = self._groups.get(key, SentenceGroup(0, of, text))
        self._groups[key] = group._replace(times=group.times + 1)

    def groups(self) -> list[SentenceGroup]:
        """Return the groups, the largest first, those of one size in the order of their firsts."""
        return sorted(self._groups.values(), key=lambda group: -group.times)
