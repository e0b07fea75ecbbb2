# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What all forms of a data list share: one entry, how it is called in messages, and how its fields are read."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.frame_rule import check_frame_rule
from monai_anomaly.data.lists.folders.folder_names import class_of, is_finding, section_of
from monai_anomaly.data.lists.folders.helper_files import Helper
from monai_anomaly.utils.identity import site_hash
from monai_anomaly.utils.printable import printable

__all__ = [
    "NO_LABEL",
    "Entry",
    "Naming",
    "check_frames",
    "fill_masks",
    "parse_label",
    "refuse_repeats",
]

WHOLE = re.compile(r"\d{1,7}(\.0)?")
LONGEST = 200
"""Letters of a value that a message repeats."""
NO_LABEL = -1
"""The label of an image that has none, or whose label is not told."""


@dataclass(frozen=True)
class Entry:
    """One image of a data list, before its names are hashed.

    Args:
        name: path relative to the data set's folder, with ``/``.
        where: the place in the list, free of names, e.g. ``training[3] of dataset.json``.
        label: 0 normal, 1 abnormal, :data:`NO_LABEL` unknown.
        group: the patient, None while it is not known.
        folder: the folder of a tree that stands for a patient, where there is one.
        private: the group came from a header, so that it is hashed even where source names are asked for.
        mask: the mask's path relative to the folder, empty where nothing is marked, None without a mask.
        more_masks: further masks of the image; what one of them marks is marked.
        helpers: files of a folder that belong to the image, its masks among them.
        frame: the frame of a cine that the entry stands for.
        frames: the entry's own frame rule.
        columns: further columns that were asked for, name and text; an empty text where the entry has none.
    """

    name: str
    where: str
    label: int
    group: str | None = None
    folder: str | None = None
    private: bool = False
    mask: str | None = None
    more_masks: tuple[str, ...] = ()
    helpers: tuple[Helper, ...] = ()
    frame: int | None = None
    frames: str | None = None
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def patient(self) -> str:
        """The group, else what stands for it: the folder, else the file."""
        return self.group or self.folder or self.name


class Naming:
    """How files and patients are called in items, messages and logs: by this site's keyed hashes, or as they are.

    Args:
        source_names: call them by their names.
        told: names of folders, in lower case, that the user wrote himself, so that a message may repeat them.
    """

    def __init__(self, source_names: bool = False, told: Collection[str] = ()) -> None:
        self.source_names = source_names
        self.told = told

    def file(self, name: str) -> str:
        """Return what stands for a file, given its path relative to the data set's folder."""
        return name if self.source_names else site_hash("file")(name)

    def folder(self, path: Path) -> str:
        """Return what a folder is called, given its path relative to the data set's folder.

        It may be called after a patient, so that only names that mean something are repeated.
        """
        return "/".join(name if self._may_repeat(name) else "another name" for name in path.parts) or "dataset_dir"

    def _may_repeat(self, name: str) -> bool:
        known = class_of(name) is not None or section_of(name) is not None or is_finding(name)
        return self.source_names or known or name.strip().lower() in self.told

    def patient(self, entry: Entry) -> str:
        """Return what stands for the patient of an entry."""
        return entry.patient if self.source_names and not entry.private else site_hash("patient")(entry.patient)

    def place(self, entry: Entry) -> str:
        """Return where an entry is and what its file is called, for messages."""
        return f"{entry.where} ({'' if self.source_names else 'id '}{printable(self.file(entry.name))})"

    def got(self, value: Any) -> str:
        """Return the end of a message about a value; it may hold a name, so it is quoted on demand only."""
        text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
        short = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
        return f", got {short}" if self.source_names else ""

    @property
    def hint(self) -> str:
        """How the file of an id is found, to follow a message's cure."""
        return "" if self.source_names else " ('python -m monai_anomaly inspect FOLDER' lists each file with its id)"


def parse_label(value: Any) -> int | None:
    """Return 0 or 1 for a number, a truth value, the text of either or the name of a class; None for anything else.

    ``benign`` names a class in a tree, where it stands beside ``cancerous`` alone; in a list it may be a finding
    beside normal images, and nothing says which class it is.
    """
    if isinstance(value, (int, float)) and value in (0, 1):
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        known = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1, "benign": None}
        return known[text.lower()] if text.lower() in known else class_of(text)
    return None


def check_frames(where: str, frame: Any, frames: Any, naming: Naming) -> tuple[int | None, str | None]:
    """Return the frame and the frame rule of an entry, of which it has at most one.

    Args:
        where: names the entry.
        frame: the list's value, None where there is none.
        frames: the list's value, None where there is none.
        naming: whether values may be quoted.

    Raises:
        DataListError: for both, or for a value that is no frame or no rule.
    """
    frame, frames = (None if value == "" else value for value in (frame, frames))
    if frame is not None and frames is not None:
        raise DataListError(f"{where} has frame and frames; keep one: frame is one index, frames a rule.")
    index = None if frame is None else _whole(frame)
    if frame is not None and index is None:
        raise DataListError(f"frame of {where} must be a whole number from 0{naming.got(frame)}; correct the entry.")
    if frames is not None:
        try:
            check_frame_rule(frames)
        except ValueError:
            raise DataListError(
                f'frames of {where} must be "middle", "all", "every:N" or "spaced:N" with N >= 1{naming.got(frames)}; '
                "correct the entry."
            ) from None
    return index, frames


def _whole(value: Any) -> int | None:
    """Return a whole number from 0 that a list gives as a number or, as a table does, as its text; None else."""
    if isinstance(value, str) and WHOLE.fullmatch(value.strip()):
        return int(float(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e7 and value == int(value):
        return int(value)
    return None


def refuse_repeats(entries: Sequence[Entry], naming: Naming) -> None:
    """Refuse a file, or a frame of it, that a section lists twice.

    Raises:
        DataListError: names the two places.
    """
    seen: dict[tuple[str, int | None], Entry] = {}
    for entry in entries:
        first = seen.setdefault((entry.name, entry.frame), entry)
        if first is not entry:
            raise DataListError(
                f"{naming.place(entry)} is listed twice, first in {first.where}; remove one of the two{naming.hint}."
            )


def fill_masks(entries: Sequence[Entry], naming: Naming) -> list[Entry]:
    """Give every entry of a section a mask or none, so that batches collate: nothing is marked in a normal image.

    Raises:
        DataListError: when some of the abnormal entries have a mask.
    """
    if all(entry.mask is None for entry in entries):
        return list(entries)
    without = [entry for entry in entries if entry.label != 0 and entry.mask is None]
    if without:
        raise DataListError(
            f"{len(without)} abnormal entries have no mask ({naming.place(without[0])} first) while others of their "
            f"section have one; give all of them a mask or none{naming.hint}."
        )
    return [replace(entry, mask=entry.mask or "") for entry in entries]
