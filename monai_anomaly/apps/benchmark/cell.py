# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a benchmark is made of: a data set, and a bundle or the baselines on it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_anomaly.apps.benchmark.variants import Variant
from monai_anomaly.data.lists.datalist import load_datalist

__all__ = ["Cell", "CellError", "DataSet", "read_data"]


class CellError(RuntimeError):
    """Why a cell has no result, in one sentence."""


@dataclass(frozen=True)
class DataSet:
    """A data set of a benchmark.

    Args:
        name: as the tables call it: the folder's name.
        folder: where it is.
        labels: label of each test image by its (hashed) name.
        n_training: training normals.
        n_validation: validation images.
        fingerprint: stands for the lists, their labels and the files' sizes.
        abnormal_folders: names of further class folders whose images are abnormal.
    """

    name: str
    folder: Path
    labels: Mapping[str, int]
    n_training: int
    n_validation: int
    fingerprint: str
    abnormal_folders: tuple[str, ...] = ()


def read_data(folder: str | Path, abnormal_folders: Sequence[str] = ()) -> DataSet:
    """Read and check the lists of a data set.

    Args:
        folder: where it is.
        abnormal_folders: as in :func:`~monai_anomaly.data.lists.datalist.load_datalist`.

    Raises:
        DataListError: whatever is wrong with it, one class in its test section included.
    """
    path = Path(os.path.abspath(Path(folder).expanduser()))
    options: dict[str, Any] = {"abnormal_folders": abnormal_folders}
    sections = {name: load_datalist(path, name, **options) for name in ("training", "validation")}
    sections["test"] = load_datalist(path, "test", require_both=True, **options)
    digest = hashlib.sha256()
    for name, items in sections.items():
        groups: dict[str, int] = {}
        for item in items:
            file = Path(item["image"])
            group = groups.setdefault(item["group"], len(groups))
            facts = (name, file.relative_to(path).as_posix(), file.stat().st_size, item["label"], group)
            digest.update(repr((*facts, item.get("frame"), item.get("frames"))).encode("utf-8", "surrogateescape"))
    labels = {item["name"]: int(item["label"]) for item in sections["test"]}
    counts = len(sections["training"]), len(sections["validation"])
    return DataSet(path.name, path, labels, *counts, digest.hexdigest()[:16], tuple(abnormal_folders))


@dataclass(frozen=True)
class Cell:
    """What is trained and evaluated once.

    Args:
        data: the data set.
        variant: the bundle; None for the baselines.
        seed: of the training; None for the baselines.
        max_minutes: wall-clock budget of the training.
    """

    data: DataSet
    variant: Variant | None
    seed: int | None
    max_minutes: float

    @property
    def title(self) -> str:
        """For the person who waits."""
        name = "baselines" if self.variant is None else f"{self.variant.name}, seed {self.seed}"
        return f"{self.data.name}: {name}"

    @property
    def folder(self) -> str:
        """A name for its folder, no other cell's."""
        name = "baselines" if self.variant is None else f"{self.variant.name} seed {self.seed}"
        short = re.sub(r"[^A-Za-z0-9]+", "-", f"{self.data.name} {name}").strip("-")[:60]
        return f"{short}-{hashlib.sha256(f'{self.data.name}/{name}'.encode()).hexdigest()[:8]}"

    def empty_row(self) -> dict[str, Any]:
        """Return what is known of a cell before it ran."""
        return {
            "data": self.data.name,
            "method": "baselines" if self.variant is None else self.variant.name,
            "kind": "baseline" if self.variant is None else "bundle",
            "seed": self.seed,
            "status": "not run",
            "reason": "",
            "oracle": "",
            "max_minutes": None if self.variant is None else self.max_minutes,
            "n_training": self.data.n_training,
        }
