# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Reads ``dataset.json``, a data list in MONAI's form."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.folder_tree import class_of

__all__ = ["LIST_NAME", "read_list"]

LIST_NAME = "dataset.json"


def read_list(root: Path) -> dict[str, list[dict[str, Any]]]:
    """Returns the sections ``training``, ``validation``, ``test`` and ``inference``, empty where the list has none.

    Args:
        root: the folder that holds ``dataset.json``; entries are relative to it.

    Raises:
        DataListError: whatever is wrong with the list.
    """
    try:
        content = json.loads((root / LIST_NAME).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataListError(f"{LIST_NAME} is not valid JSON (line {error.lineno}: {error.msg}); correct it.") from None
    except (UnicodeDecodeError, RecursionError):
        raise DataListError(f"{LIST_NAME} is not a JSON text in UTF-8; write it again.") from None
    if not isinstance(content, dict):
        raise DataListError(f'{LIST_NAME} must hold an object with "training", "validation" and "test"; correct it.')
    sections = {}
    for section in ("training", "validation", "test", "inference"):
        entries = content.get(section) or []
        if not isinstance(entries, list):
            raise DataListError(f'"{section}" of {LIST_NAME} must be a list of entries; correct it.')
        sections[section] = _read_section(root, section, entries)
    return sections


def _read_section(root: Path, section: str, entries: list[Any]) -> list[dict[str, Any]]:
    items = [_read_entry(root, f"{section}[{number}]", entry, section) for number, entry in enumerate(entries)]
    seen: set[tuple[str, int | None]] = set()
    for item in items:
        identity = (item["name"], item.get("frame"))
        if identity in seen:
            raise DataListError(f"{item['name']!r} is listed twice in {section}; remove one of the entries.")
        seen.add(identity)
    return _fill_masks(section, items)


def _read_entry(root: Path, where: str, entry: Any, section: str) -> dict[str, Any]:
    """Returns one item; ``where`` names the entry in messages."""
    if isinstance(entry, str):
        entry = {"image": entry}
    if not isinstance(entry, dict) or not isinstance(entry.get("image"), str) or not entry["image"]:
        raise DataListError(f'{where} of {LIST_NAME} must be {{"image": path, "label": 0 or 1}}; correct the entry.')
    path, name = _resolve(root, where, entry["image"])
    item: dict[str, Any] = {
        "image": path,
        "name": name,
        "label": _read_label(where, entry.get("label"), section),
        "group": name if entry.get("group") in (None, "") else str(entry["group"]),
    }
    if entry.get("mask"):
        item["mask"] = _resolve(root, where, str(entry["mask"]))[0]
    if entry.get("frame") is not None:
        frame = entry["frame"]
        if not isinstance(frame, int) or isinstance(frame, bool) or frame < 0:
            raise DataListError(f"frame of {where} must be a whole number from 0, got {frame!r}; correct the entry.")
        item["frame"] = frame
    return item


def _resolve(root: Path, where: str, value: str) -> tuple[str, str]:
    """Returns the absolute path and the name relative to the folder; links below the folder are the user's."""
    path = os.path.normpath(root / value)
    base = os.path.normpath(root)
    if "\0" in value or path == base or not Path(path).is_relative_to(base):
        raise DataListError(f"{where} of {LIST_NAME} leaves dataset_dir: {value!r}; move the file into it.")
    return path, Path(path).relative_to(base).as_posix()


def _read_label(where: str, value: Any, section: str) -> int:
    """Returns 0 or 1; -1 for an image without label that is only to be scored."""
    if value is None:
        if section == "training":
            return 0
        if section == "inference":
            return -1
        raise DataListError(f"{where} of {LIST_NAME} has no label; add 0 (normal) or 1 (abnormal).")
    if value in (0, 1) and isinstance(value, (int, float)):
        return int(value)
    if isinstance(value, str):
        label = int(value) if value in ("0", "1") else class_of(value)
        if label is not None:
            return label
    raise DataListError(f"label of {where} must be 0 (normal) or 1 (abnormal), got {value!r}; correct the entry.")


def _fill_masks(section: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Gives every item a mask or none, so that batches collate: nothing is marked in a normal image."""
    if not any("mask" in item for item in items):
        return items
    without = [item for item in items if item["label"] != 0 and "mask" not in item]
    if without:
        raise DataListError(
            f"{len(without)} abnormal entries of {section} have no mask ({without[0]['name']!r} first) while others "
            "have one; give all of them a mask or none."
        )
    return [{**item, "mask": item.get("mask", "")} for item in items]
