# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Data sets of empty files, in folders or in a list, and what is loaded of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.datalist import load_datalist

Sections = dict[str, list[dict[str, Any]]]


def make_tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def make_list(root: Path, **sections) -> Path:
    for entries in sections.values():
        for entry in entries:
            for key in ("image", "mask"):
                if isinstance(entry, dict) and entry.get(key, "/")[0] not in "./":
                    make_tree(root, entry[key])
    (root / "dataset.json").write_text(json.dumps(sections))
    return root


def load(root: Path, section: str, **options) -> list[dict]:
    return load_datalist(root, section, source_names=True, **options)


def names(items) -> list[str]:
    return [item["name"] for item in items]


def refusal(root: Path, section: str, **options) -> str:
    with pytest.raises(DataListError) as caught:
        load_datalist(root, section, **options)
    return str(caught.value)


def relist(folder: Path, data: Path, change: Callable[[Sections], Any]) -> Path:
    """Return the same files under a list that has changed."""
    folder.mkdir()
    listed = json.loads((data / "dataset.json").read_text())
    change(listed)
    for path in data.iterdir():
        if path.name != "dataset.json":
            (folder / path.name).symlink_to(path)
    (folder / "dataset.json").write_text(json.dumps(listed))
    return folder


def remove_labels(listed: Sections) -> None:
    listed["unlabeled"] = [{key: entry[key] for key in ("image", "group")} for entry in listed["unlabeled"]]


def remove_pool(listed: Sections) -> None:
    del listed["unlabeled"]


def record_listings(monkeypatch) -> list[str]:
    """Return the folders that are listed from now on, as they come."""
    listed: list[str] = []
    walk, iterdir = os.walk, Path.iterdir

    def recorded_walk(top, **options):
        for step in walk(top, **options):
            listed.append(str(step[0]))
            yield step

    monkeypatch.setattr(os, "walk", recorded_walk)
    monkeypatch.setattr(Path, "iterdir", lambda self: listed.append(str(self)) or iterdir(self))
    return listed
