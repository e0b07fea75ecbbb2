# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a data set lists: its entries by section."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields

from monai_anomaly.data.lists.entries import Entry
from monai_anomaly.data.lists.section import Section

__all__ = ["EntriesBySection"]


@dataclass(frozen=True)
class EntriesBySection:
    """The entries of a data set by the section that they are listed in; one that it does not have is empty.

    Args:
        training: normal images, and abnormal ones, which are never opened.
        validation: images with a label.
        test: images with a label.
        inference: images that are only to be scored.
        unlabeled: the pool; its images may be learned from, and a label that they have is for experiments only.
    """

    training: list[Entry] = field(default_factory=list)
    validation: list[Entry] = field(default_factory=list)
    test: list[Entry] = field(default_factory=list)
    inference: list[Entry] = field(default_factory=list)
    unlabeled: list[Entry] = field(default_factory=list)

    @property
    def training_normals(self) -> list[Entry]:
        """The only training images that are opened."""
        return [entry for entry in self.training if entry.label == 0]

    def apart(self) -> Iterator[tuple[Section, Entry]]:
        """Yield the entries of the sections that must share no patient, the pool last."""
        for section in (Section.TRAINING, Section.VALIDATION, Section.TEST, Section.UNLABELED):
            for entry in getattr(self, section.value):
                yield section, entry

    def map(self, change: Callable[[list[Entry]], list[Entry]]) -> EntriesBySection:
        """Return the sections after a change that is made to each of them."""
        return EntriesBySection(**{each.name: change(getattr(self, each.name)) for each in fields(self)})
