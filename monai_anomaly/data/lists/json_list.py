# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Reads ``dataset.json``, a data list in MONAI's form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.columns import read_columns
from monai_anomaly.data.lists.entries import (
    NO_LABEL,
    Entry,
    Naming,
    check_frames,
    fill_masks,
    parse_label,
    refuse_repeats,
)
from monai_anomaly.data.lists.folders.folder_names import POOL_NAMES
from monai_anomaly.data.lists.listed_paths import ListedPaths
from monai_anomaly.data.lists.section import Section
from monai_anomaly.data.lists.section_names import check_sections
from monai_anomaly.data.lists.sections import EntriesBySection

__all__ = ["LIST_NAME", "read_list"]

LIST_NAME = "dataset.json"


def read_list(
    root: Path, naming: Naming, paths: ListedPaths, columns: Sequence[str] = (), *, pool: bool = False
) -> EntriesBySection:
    """Return the sections as they are listed.

    Args:
        root: the folder that holds ``dataset.json``; entries are relative to it.
        naming: how files are called in messages.
        paths: finds the files that the list names.
        columns: further keys of the entries to keep.
        pool: read the section ``unlabeled`` too, which may be called ``unlabelled``. Its labels may be anything and its
            masks are not read; a label that is neither class is :data:`~monai_anomaly.data.lists.entries.NO_LABEL`.

    Raises:
        DataListError: whatever is wrong with the list.
    """
    content = _read_json(root / LIST_NAME)
    check_sections(content, LIST_NAME)
    return _ListReader(content, naming, paths, columns).read(pool)


def _read_json(path: Path) -> dict[str, Any]:
    """Return the object that the list is."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataListError(f"{LIST_NAME} is not valid JSON (line {error.lineno}: {error.msg}); correct it.") from None
    except (ValueError, RecursionError):  # not UTF-8, or numbers and nesting beyond what Python reads
        raise DataListError(f"{LIST_NAME} is not a JSON text in UTF-8; write it again.") from None
    if not isinstance(content, dict):
        raise DataListError(f'{LIST_NAME} must hold an object with "training", "validation" and "test"; correct it.')
    return content


class _ListReader:
    """Turns the content of the list into entries.

    Args:
        content: of the list.
        naming: how files are called in messages.
        paths: finds the files.
        columns: further keys of the entries to keep.
    """

    def __init__(self, content: dict[str, Any], naming: Naming, paths: ListedPaths, columns: Sequence[str]) -> None:
        self._content = content
        self._naming = naming
        self._paths = paths
        self._columns = columns

    def read(self, pool: bool) -> EntriesBySection:
        """Return all sections, the pool only where it is asked for."""
        training, validation, test, inference = (
            fill_masks(self._read_section(section, section.value), self._naming)
            for section in (Section.TRAINING, Section.VALIDATION, Section.TEST, Section.INFERENCE)
        )
        return EntriesBySection(training, validation, test, inference, self._read_pool() if pool else [])

    def _read_pool(self) -> list[Entry]:
        """Return the pool's entries, under whichever of its two names they are listed."""
        names = [name for name in POOL_NAMES if name in self._content]
        if len(names) > 1:
            raise DataListError(f'"{names[0]}" and "{names[1]}" of {LIST_NAME} mean the same; keep one of them.')
        return self._read_section(Section.UNLABELED, names[0]) if names else []

    def _read_section(self, section: Section, key: str) -> list[Entry]:
        """Return the entries of a section, listed under a key, in their order."""
        listed = self._content.get(key) or []
        if not isinstance(listed, list):
            raise DataListError(f'"{key}" of {LIST_NAME} must be a list of entries; correct it.')
        entries = []
        for number, fields in enumerate(listed):
            place = f"{key}[{number}] of {LIST_NAME}"
            entry = self._read_entry(section, fields, place)
            entries.append(replace(entry, columns=read_columns(fields, self._columns, place)))
        refuse_repeats(entries, self._naming)
        return entries

    def _read_entry(self, section: Section, fields: Any, where: str) -> Entry:
        """Return one entry; ``where`` names it in messages."""
        if isinstance(fields, str):
            fields = {"image": fields}
        if not isinstance(fields, dict) or not isinstance(fields.get("image"), str) or not fields["image"]:
            raise DataListError(f'{where} must be {{"image": path, "label": 0 or 1}}; correct the entry.')
        frame, frames = check_frames(where, fields.get("frame"), fields.get("frames"), self._naming)
        group = fields.get("group")
        # whether there is a mask says what is in the image, which nobody shall know of the pool
        masks = self._read_masks(fields.get("mask"), where) if section is not Section.UNLABELED else []
        return Entry(
            name=self._paths.place(fields["image"], f"image of {where}"),
            where=where,
            label=self._read_label(section, fields.get("label"), where),
            group=None if group in (None, "") else str(group).encode(errors="replace").decode(),
            mask=masks[0] if masks else None,
            more_masks=tuple(masks[1:]),
            frame=frame,
            frames=frames,
        )

    def _read_masks(self, value: Any, where: str) -> list[str]:
        """Return the paths of an entry's masks: of none, one or several."""
        masks = value if isinstance(value, list) else [value] if value not in (None, "") else []
        if not all(isinstance(mask, str) and mask for mask in masks):
            raise DataListError(f"mask of {where} must be a path or a list of paths; correct the entry.")
        return [self._paths.place(mask, f"mask of {where}") for mask in masks]

    def _read_label(self, section: Section, value: Any, where: str) -> int:
        """Return 0 or 1, or NO_LABEL for an image without label that is only to be scored or learned from."""
        label = parse_label(value)
        if section is Section.UNLABELED:
            return NO_LABEL if label is None else label
        if value is None or value == "":
            if section is Section.TRAINING:
                return 0
            if section is Section.INFERENCE:
                return NO_LABEL
            raise DataListError(f"{where} has no label; add 0 (normal) or 1 (abnormal).")
        if label is None:
            raise DataListError(
                f"label of {where} must be 0 (normal) or 1 (abnormal){self._naming.got(value)}; correct the entry "
                "(benign may be a finding: write 0 or 1)."
            )
        return label
