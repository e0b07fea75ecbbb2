# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a section of a data set leaves out, to be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from monai_anomaly.data.lists.entries import Entry
from monai_anomaly.data.lists.folders.folder_entries import find_images
from monai_anomaly.data.lists.folders.helper_files import find_helpers
from monai_anomaly.data.lists.folders.tally import HELPERS, Tally
from monai_anomaly.data.lists.section import Section
from monai_anomaly.data.lists.sections import EntriesBySection

__all__ = ["ItemList", "count_left_out"]


class ItemList(list[dict[str, Any]]):
    """The items of a section, which also knows what is not among them.

    Args:
        items: the items.
        left_out: numbers of images, by what they are and why they are left out.
    """

    def __init__(self, items: Iterable[dict[str, Any]], left_out: Mapping[str, int]) -> None:
        super().__init__(items)
        self.left_out = {reason: count for reason, count in left_out.items() if count}


def count_left_out(
    listed: EntriesBySection, section: Section, kept: list[Entry], abnormal: Iterable[Path], tally: Tally
) -> dict[str, int]:
    """Return how many images and other files of a section are left out, by the reason.

    Args:
        listed: all sections.
        section: the one that was asked for.
        kept: its entries.
        abnormal: folders of abnormal training images of a tree, whose images are counted; other forms list them.
        tally: what was passed over in the folders.
    """
    images = {}
    if section is Section.TRAINING:
        unlisted = sum(map(_count_images, abnormal))
        count = len(listed.training) - len(listed.training_normals) + unlisted
        images = {"abnormal training images, which are never opened": count}
    if section is Section.UNLABELED:
        count = len(listed.unlabeled) - len(kept)
        images = {"images of the pool, whose patients are held out for validation": count}
    helpers = sum(len(entry.helpers) for entry in kept)
    return images | {HELPERS: helpers} | tally.of(section)


def _count_images(folder: Path) -> int:
    """Return how many images are below a folder; 0 for one that may not be listed, since nothing of it is needed."""
    try:
        paths = [path.as_posix() for path in find_images(folder, every=True)[0]]
    except OSError:
        return 0
    return len(paths) - len(find_helpers(paths))
