# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Further columns of a data list, such as the machine or the site of an image, for a report by subgroup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.entries import Entry

__all__ = ["COLUMN", "check_columns", "read_columns", "require_columns"]

COLUMN = "column:"
"""What stands before the name of a column in the keys of an item, so that it can hide none of the item's own."""

RESERVED = {"image", "file", "sop_instance_uid", "study_instance_uid", "label", "split", "mask", "frame", "frames"}
LONGEST = 200


def check_columns(columns: Sequence[str]) -> list[str]:
    """Return the names of the columns, each once.

    Raises:
        ValueError: for what is no list of names.
        DataListError: for a column that has a meaning of its own, or names files.
    """
    if isinstance(columns, str) or not all(isinstance(name, str) and name.strip() for name in columns):
        raise ValueError(f"columns must be a list of names, such as ['machine'], got {columns!r}.")
    reserved = sorted(RESERVED.intersection(name.lower() for name in columns))
    if reserved:
        raise DataListError(f"the column {reserved[0]} makes no subgroups; name other columns of the data list.")
    return list(dict.fromkeys(columns))


def read_columns(values: Any, columns: Sequence[str], where: str) -> tuple[tuple[str, str], ...]:
    """Return name and text of each column, an empty text where there is none.

    Args:
        values: an entry of a list, or a row of a table, whose names are in lower case.
        columns: what is wanted.
        where: the place in the list, for messages.

    Raises:
        DataListError: for a value that is neither a number nor a short text.
    """
    known: Mapping[str, Any] = values if isinstance(values, Mapping) else {}
    texts = []
    for name in columns:
        value = known.get(name, known.get(name.lower()))
        text = "" if value is None else str(value).strip()
        text = text.lower() if text.lower() in ("true", "false") else text  # as JSON has it, whoever wrote it
        if not isinstance(value, (str, int, float, type(None))) or len(text) > LONGEST:
            raise DataListError(
                f"{name} of {where} must be a number or a text of at most {LONGEST} letters; correct it."
            )
        texts.append((name, text.encode(errors="replace").decode()))
    return tuple(texts)


def require_columns(entries: Sequence[Entry], columns: Sequence[str]) -> None:
    """Refuse a column that no entry of a section has a value of.

    Raises:
        DataListError: names the column.
    """
    for name in columns:
        if not any(dict(entry.columns).get(name) for entry in entries):
            raise DataListError(
                f"no image of this section has a value in the column {name!r}; name a column of dataset.json or "
                "labels.csv (a folder tree has none)."
            )
