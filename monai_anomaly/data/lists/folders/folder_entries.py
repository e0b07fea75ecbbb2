# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The images of a folder as entries, sorted out from all that lies there with them."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from monai_anomaly.data.lists.entries import Entry, Naming
from monai_anomaly.data.lists.files import walk_files
from monai_anomaly.data.lists.folders.folder_names import class_of, is_no_image
from monai_anomaly.data.lists.folders.helper_files import Helper, find_helpers, masks_among
from monai_anomaly.data.lists.folders.helper_names import IMAGE_FOLDERS, is_called_mask
from monai_anomaly.data.lists.folders.tally import EMPTY, HELPERS, OF_SYSTEM

__all__ = ["find_images", "list_files", "take_masks"]

NO_IMAGES = "files that are no images"
logger = logging.getLogger(__name__)


def list_files(
    root: Path,
    folder: Path,
    *,
    label: int,
    every: bool = False,
    naming: Naming | None = None,
    counts: Counter[str] | None = None,
) -> list[Entry]:
    """Return the entries of the images below a folder, sorted by name; what is passed over is counted in a warning.

    Masks and other helper files are no images: they are kept with the entry of their image.

    Args:
        root: names are relative to it.
        folder: where to look.
        label: label of the entries.
        every: take texts, tables and empty files too, which are left out otherwise; no folder below is a patient then.
        naming: how the folder is called in messages; None says names that mean something to us only.
        counts: is added to, how many files are passed over, by what they are; helpers are counted with their images.
    """
    naming = naming or Naming()
    place = naming.folder(folder.relative_to(root))
    images, passed = find_images(folder, every=every)
    helpers = _remove_helpers(root, images)
    n_helpers = sum(map(len, helpers.values()))
    told = [f"{count} {what}" for what, count in {HELPERS: n_helpers, **passed}.items() if count]
    if told:
        logger.warning("%s were skipped in %s.", "; ".join(told), place)
    _warn_of_lone_masks(images, place)
    if counts is not None:
        counts.update({what: count for what, count in passed.items() if what != NO_IMAGES})
    return [
        Entry(
            name=name,
            where=f"entry {number} of {place}, sorted by name",
            label=label,
            folder=None if every else _patient(below, IMAGE_FOLDERS if helpers else ()),
            helpers=tuple(helpers.get(name, ())),
        )
        for number, path in enumerate(images, 1)
        for name, below in [(path.relative_to(root).as_posix(), path.relative_to(folder).parts)]
    ]


def _patient(below: Sequence[str], no_patients: Collection[str]) -> str | None:
    """Return the folder that stands for a patient in a path below a class folder.

    Args:
        below: the parts of the path.
        no_patients: names of folders that are none, such as ``images`` beside ``masks``; one of a class never is.
    """
    return next((part for part in below[:-1] if part.lower() not in no_patients and class_of(part) is None), None)


def find_images(folder: Path, *, every: bool = False) -> tuple[list[Path], Counter[str]]:
    """Return the files below a folder that may be images, sorted, and how many others there are, by what they are.

    Args:
        folder: where to look.
        every: take texts, tables and empty files too.
    """
    of_system: list[Path] = []
    paths = walk_files(folder, of_system.append)
    passed = Counter({OF_SYSTEM: len(of_system)})
    if not every:
        kept = [path for path in paths if not is_no_image(path)]
        filled = [path for path in kept if not _is_empty(path)]
        passed.update({EMPTY: len(kept) - len(filled), NO_IMAGES: len(paths) - len(kept)})
        paths = filled
    return paths, passed


def _is_empty(path: Path) -> bool:
    """Return whether a file has no byte; what cannot be looked at is for the reader to refuse."""
    try:
        return path.is_file() and path.stat().st_size == 0
    except OSError:
        return False


def _remove_helpers(root: Path, images: list[Path]) -> dict[str, list[Helper]]:
    """Take the helpers out of the images; return those of each image by its name."""
    found = find_helpers(path.relative_to(root).as_posix() for path in images)
    helpers: defaultdict[str, list[Helper]] = defaultdict(list)
    for helper in found:
        helpers[helper.image].append(helper)
    names = {helper.path for helper in found}
    images[:] = [path for path in images if path.relative_to(root).as_posix() not in names]
    return helpers


def _warn_of_lone_masks(images: Sequence[Path], place: str) -> None:
    """Say how many images are called as masks are, without an image that they would belong to."""
    count = sum(is_called_mask(path.name) for path in images)
    if count:
        logger.warning(
            "%d of %d images in %s are called as masks are, and the images that they belong to are not beside them: "
            "they count as images; move them away if they are masks.",
            count,
            len(images),
            place,
        )


def take_masks(entries: Sequence[Entry], place: str) -> list[Entry]:
    """Give the entries of a section the masks that lie beside their images; in a normal image nothing is marked.

    Where some of the abnormal images have none, no mask is taken, with a warning: the numbers of pixels would be of a
    part of the images.

    Args:
        entries: of the section.
        place: what it is called in messages.
    """
    masks = {entry: masks_among(entry.helpers) for entry in entries if entry.label == 1}
    with_mask = sum(map(bool, masks.values()))
    if 0 < with_mask < len(masks):
        logger.warning(
            "%d of %d abnormal images of %s have a mask beside them: masks are not used; add the others, or list "
            "images and masks in a dataset.json.",
            with_mask,
            len(masks),
            place,
        )
    if not masks or with_mask < len(masks):
        return list(entries)
    logger.info("%s: the masks beside the %d abnormal images are used.", place, len(masks))
    return [
        replace(entry, mask=masks[entry][0], more_masks=tuple(masks[entry][1:]))
        if entry in masks
        else replace(entry, mask="")
        for entry in entries
    ]
