# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Masks in a folder of their own beside class folders, or beside splits: ``ground_truth/crack/000_mask.png``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from monai_anomaly.data.lists.entries import Entry
from monai_anomaly.data.lists.files import list_folders, walk_files
from monai_anomaly.data.lists.folders.folder_names import is_no_image
from monai_anomaly.data.lists.folders.helper_files import Helper, find_helpers
from monai_anomaly.data.lists.folders.helper_names import folder_word, key_of

__all__ = ["add_parallel_masks"]


def add_parallel_masks(root: Path, classes: Sequence[Path], entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries, the abnormal ones with the masks of theirs that lie in folders beside the classes.

    Below a folder of masks the folders are those of the images, with or without the split's and the class's. A mask
    that fits images of several classes is nobody's.

    Args:
        root: names are relative to it.
        classes: the class folders of a split, or of a data set without splits.
        entries: the images in them.
    """
    abnormal = [entry.name for entry in entries if entry.label == 1]
    files = [*_mask_files(root, classes)] if abnormal else []
    if not files:
        return list(entries)
    found: list[Helper] = []
    for folder in classes:
        place = folder.relative_to(root).as_posix()
        images = [name for name in abnormal if name.startswith(f"{place}/")]
        of_class: defaultdict[str, list[str]] = defaultdict(list)
        for real, virtual in _as_of_class(files, folder, classes, place):
            of_class[virtual].append(real)
        helpers = find_helpers([*images, *of_class])
        found += [helper._replace(path=real) for helper in helpers for real in of_class.get(helper.path, ())]
    fitting = Counter(helper.path for helper in found)
    helpers_of: defaultdict[str, list[Helper]] = defaultdict(list)
    for helper in found:
        if fitting[helper.path] == 1:
            helpers_of[helper.image].append(helper)
    return [replace(entry, helpers=(*entry.helpers, *helpers_of.get(entry.name, ()))) for entry in entries]


def _mask_files(root: Path, classes: Sequence[Path]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the files in folders of masks, each with its path below that folder, whose name comes first."""
    for parent in dict.fromkeys((classes[0].parent, root)) if classes else ():
        for folder in list_folders(parent):
            if folder not in classes and folder_word(folder.name):
                for path in walk_files(folder):
                    if not is_no_image(path):
                        yield path.relative_to(root).as_posix(), path.relative_to(parent).parts


def _as_of_class(
    files: Sequence[tuple[str, tuple[str, ...]]], folder: Path, classes: Collection[Path], place: str
) -> Iterator[tuple[str, str]]:
    """Yield the files that may be of a class, each with the path that it would have in a folder of masks there."""
    others = {key_of(other.name) for other in classes if other != folder}
    for real, (masks, *below) in files:
        parts = below[1:] if key_of(below[0]) == key_of(folder.parent.name) else below
        if key_of(parts[0]) == key_of(folder.name):
            parts = parts[1:]
        elif key_of(parts[0]) in others:
            continue
        if parts:
            yield real, "/".join((place, masks, *parts))
