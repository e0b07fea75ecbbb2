# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How many files of a folder are no images of the data set, by what they are."""

from __future__ import annotations

from collections import Counter, defaultdict

from monai_anomaly.data.lists.section import Section

__all__ = ["EMPTY", "HELPERS", "OF_SYSTEM", "Tally"]

EMPTY = "empty files"
HELPERS = "masks and other helper files of images"
OF_SYSTEM = "files and folders of the system (hidden ones, thumbnails, bins)"

WITH = {
    Section.INFERENCE: (Section.TEST,),
    Section.NORMALS: (Section.TRAINING, Section.VALIDATION),
}


class Tally:
    """Counts what is passed over in the folders of a data set.

    Folders that are in no split count for every section but validation: the training that it is of has said it.
    """

    def __init__(self) -> None:
        self._counts: defaultdict[Section | None, Counter[str]] = defaultdict(Counter)

    def at(self, split: Section | None) -> Counter[str]:
        """Return the counts of a split's folders, to add to; None for folders in no split."""
        return self._counts[split]

    def of(self, section: Section) -> Counter[str]:
        """Return the counts of a section that is asked for, for all of its folders."""
        splits = (None, *WITH.get(section, (section,)))
        counts = (self._counts[split] for split in splits if split is not None or section is not Section.VALIDATION)
        return sum(counts, Counter())
