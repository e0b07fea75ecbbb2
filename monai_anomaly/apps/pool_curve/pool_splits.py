# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Half of a data set's test patients as its pool, the others as its test section, again and again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.datalist import load_datalist, load_labeled_pool
from monai_anomaly.data.lists.json_list import LIST_NAME
from monai_anomaly.data.lists.pool import load_pool
from monai_anomaly.utils.atomic import atomic_write

__all__ = ["PoolFacts", "draw_pool_patients", "pool_facts", "write_split"]

_LINK = "images"
"""In a split's folder: the data set's own."""

_KEPT = ("label", "group", "frame", "frames")
"""Of an item, in the split's list."""


def draw_pool_patients(items: Sequence[Mapping[str, Any]], number: int) -> set[str]:
    """Return the patients of the pool: half of those with an abnormal image, and half of the others.

    Args:
        items: of the test section.
        number: of the split; it seeds the draw.
    """
    sick = {item["group"] for item in items if item["label"] == 1}
    drawn: set[str] = set()
    for side, patients in enumerate((sorted({item["group"] for item in items} - sick), sorted(sick))):
        order = np.random.default_rng([number, side]).permutation(len(patients))
        drawn |= {patients[i] for i in order[: len(patients) // 2]}
    return drawn


def write_split(source: Path, number: int, folder: Path, abnormal_folders: Sequence[str] = ()) -> None:
    """Write a split as a data set: a list, and a link to the images.

    A pool that the data set has already is not used, and masks are left out.

    Args:
        source: folder of the data set.
        number: of the split.
        folder: gets the list; it is made.
        abnormal_folders: as in :func:`~monai_anomaly.data.lists.datalist.load_datalist`.

    Raises:
        DataListError: whatever is wrong with the data set.
    """
    options: dict[str, Any] = {"abnormal_folders": abnormal_folders, "source_names": True}
    sections = {name: load_datalist(source, name, **options) for name in ("training", "validation", "test")}
    in_pool = draw_pool_patients(sections["test"], number)
    listed = {name: [_entry(item, source) for item in items] for name, items in sections.items()}
    listed["unlabeled"] = [entry for entry in listed["test"] if entry["group"] in in_pool]
    listed["test"] = [entry for entry in listed["test"] if entry["group"] not in in_pool]
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / _LINK).is_symlink():
        os.symlink(source, folder / _LINK, target_is_directory=True)
    atomic_write(folder / LIST_NAME, json.dumps(listed, indent=1) + "\n")


def _entry(item: Mapping[str, Any], source: Path) -> dict[str, Any]:
    place = Path(item["image"]).relative_to(source).as_posix()
    return {"image": f"{_LINK}/{place}", **{key: item[key] for key in _KEPT if key in item}}


class PoolFacts(NamedTuple):
    """What a draw from a split's pool gives; with a reason, why there is none."""

    n_pool: int
    n_abnormal: int
    reason: str = ""


def pool_facts(folder: Path, size: int | None, share: float | None) -> PoolFacts:
    """Return what a bundle's training will draw from the pool of a split.

    Args:
        folder: of the split.
        size: as in :func:`~monai_anomaly.data.lists.pool.load_pool`.
        share: its ``anomaly_ratio``.
    """
    try:
        drawn = {item["index"] for item in load_pool(folder, size=size, anomaly_ratio=share)}
    except DataListError as error:
        return PoolFacts(0, 0, str(error))
    items, labels = load_labeled_pool(folder)
    drawn_labels = [label for item, label in zip(items, labels, strict=True) if item["index"] in drawn]
    return PoolFacts(len(drawn), sum(drawn_labels))
