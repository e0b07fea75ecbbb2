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
    Entry,
    Naming,
    check_frames,
    fill_masks,
    parse_label,
    refuse_repeats,
    resolve_inside,
)
from monai_anomaly.data.lists.folder_names import POOL, POOL_NAMES

__all__ = ["LIST_NAME", "read_list"]

LIST_NAME = "dataset.json"


def read_list(root: Path, naming: Naming, columns: Sequence[str] = (), *, pool: bool = False) -> dict[str, list[Entry]]:
    """Return the sections ``training``, ``validation``, ``test``, ``inference`` and ``unlabeled``.

    A section that the list does not have is empty.

    Args:
        root: the folder that holds ``dataset.json``; entries are relative to it.
        naming: how files are called in messages.
        columns: further keys of the entries to keep.
        pool: read the section ``unlabeled`` too, which may be called ``unlabelled``. Its labels may be anything and its
            masks are not read; a label that is neither class is -1.

    Raises:
        DataListError: whatever is wrong with the list.
    """
    try:
        content = json.loads((root / LIST_NAME).read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataListError(f"{LIST_NAME} is not valid JSON (line {error.lineno}: {error.msg}); correct it.") from None
    except (ValueError, RecursionError):  # not UTF-8, or numbers and nesting beyond what Python reads
        raise DataListError(f"{LIST_NAME} is not a JSON text in UTF-8; write it again.") from None
    if not isinstance(content, dict):
        raise DataListError(f'{LIST_NAME} must hold an object with "training", "validation" and "test"; correct it.')
    sections: dict[str, list[Entry]] = {
        section: fill_masks(_read_section(root, content, section, naming, columns), naming)
        for section in ("training", "validation", "test", "inference")
    }
    sections[POOL] = _read_pool(root, content, naming, columns) if pool else []
    return sections


def _read_pool(root: Path, content: dict[str, Any], naming: Naming, columns: Sequence[str]) -> list[Entry]:
    """Return the pool's entries, under whichever of its two names they are listed."""
    names = [name for name in POOL_NAMES if name in content]
    if len(names) > 1:
        raise DataListError(f'"{names[0]}" and "{names[1]}" of {LIST_NAME} mean the same; keep one of them.')
    return _read_section(root, content, names[0], naming, columns) if names else []


def _read_section(
    root: Path, content: dict[str, Any], section: str, naming: Naming, columns: Sequence[str]
) -> list[Entry]:
    """Return the entries of a section as they are listed."""
    listed = content.get(section) or []
    if not isinstance(listed, list):
        raise DataListError(f'"{section}" of {LIST_NAME} must be a list of entries; correct it.')
    places = [f"{section}[{number}] of {LIST_NAME}" for number in range(len(listed))]
    entries = [
        replace(_read_entry(root, place, one, section, naming), columns=read_columns(one, columns, place))
        for place, one in zip(places, listed, strict=True)
    ]
    refuse_repeats(entries, naming)
    return entries


def _read_entry(root: Path, where: str, listed: Any, section: str, naming: Naming) -> Entry:
    """Return one entry; ``where`` names it in messages."""
    if isinstance(listed, str):
        listed = {"image": listed}
    if not isinstance(listed, dict) or not isinstance(listed.get("image"), str) or not listed["image"]:
        raise DataListError(f'{where} must be {{"image": path, "label": 0 or 1}}; correct the entry.')
    frame, frames = check_frames(where, listed.get("frame"), listed.get("frames"), naming)
    group = listed.get("group")
    mask = listed.get("mask") if section not in POOL_NAMES else None  # whether there is one says what is in the image
    return Entry(
        name=_resolve(root, f"image of {where}", listed["image"], naming),
        where=where,
        label=_read_label(where, listed.get("label"), section, naming),
        group=None if group in (None, "") else str(group).encode(errors="replace").decode(),
        mask=_resolve(root, f"mask of {where}", str(mask), naming) if mask else None,
        frame=frame,
        frames=frames,
    )


def _resolve(root: Path, what: str, value: str, naming: Naming) -> str:
    name = resolve_inside(root, value)
    if name is None:
        raise DataListError(f"{what} leaves dataset_dir{naming.got(value)}; move the file into it.")
    return name


def _read_label(where: str, value: Any, section: str, naming: Naming) -> int:
    """Return 0 or 1; -1 for an image without label that is only to be scored or learned from."""
    if section in POOL_NAMES:
        label = parse_label(value)
        return -1 if label is None else label
    if value is None:
        if section == "training":
            return 0
        if section == "inference":
            return -1
        raise DataListError(f"{where} has no label; add 0 (normal) or 1 (abnormal).")
    label = parse_label(value)
    if label is None:
        raise DataListError(
            f"label of {where} must be 0 (normal) or 1 (abnormal){naming.got(value)}; correct the entry "
            "(benign may be a finding: write 0 or 1)."
        )
    return label
