# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The images of a site that an acceptance test looks at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.csv_list import LABELS_NAME
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.files import walk_files
from monai_anomaly.data.lists.folders.plain_folder import has_splits, is_plain_tree
from monai_anomaly.data.lists.json_list import LIST_NAME
from monai_anomaly.utils.identity import site_hash

__all__ = ["LocalImages", "list_local_images"]


@dataclass(frozen=True)
class LocalImages:
    """The files to look at.

    Args:
        items: as :func:`~monai_anomaly.data.lists.datalist.load_datalist` gives them, with ``set`` (the folder they are
            of, by a word of ours) and labels 0 and 1.
        left_out: how many files of the folders are no images to look at, by the reason.
    """

    items: list[dict[str, Any]]
    left_out: dict[str, int]


def list_local_images(normals: str, abnormal: Sequence[str] = ()) -> LocalImages:
    """List the images of an acceptance test.

    Args:
        normals: a folder that holds nothing but normal images; or one with ``dataset.json``, ``labels.csv`` or a
            ``test`` split, of whose test section both classes are taken.
        abnormal: folders that hold nothing but abnormal images.

    Raises:
        DataListError: whatever is wrong with a folder.
    """
    listed = _is_listed(Path(normals).expanduser())
    if listed:
        found = load_datalist(normals, "test")
        items = [_mine(item, "test section", item["label"]) for item in found]
        if abnormal and any(item["label"] == 1 for item in items):
            raise DataListError("the test section of NORMALS has abnormal images already; leave --abnormal out.")
        left_out = Counter(found.left_out)
    else:
        items, left_out = _of_one_kind(normals, "NORMALS", "normals", 0)
    for number, folder in enumerate(abnormal, 1):
        more, others = _of_one_kind(folder, "--abnormal", f"abnormal {number}", 1)
        items, left_out = items + more, left_out + others
    if not any(item["label"] == 0 for item in items):
        raise DataListError("NORMALS holds no normal images; an acceptance test needs some.")
    files = Counter((Path(item["image"]).resolve(), item.get("frame")) for item in items)
    twice = sum(count > 1 for count in files.values())
    if twice:
        raise DataListError(
            f"{twice} files are listed more than once; name each folder, and each file in a list, once."
        )
    return LocalImages([{**item, "index": index} for index, item in enumerate(items)], dict(left_out))


def _is_listed(root: Path) -> bool:
    """Return whether a list or the folders say which images are normal."""
    if not root.is_dir():
        return False
    return any((root / name).is_file() for name in (LIST_NAME, LABELS_NAME)) or has_splits(root)


def _of_one_kind(folder: str, word: str, name: str, label: int) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Return all images below a folder, with their patients."""
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise DataListError(f"{word}: there is no folder '{folder}'.")
    if label and _is_listed(root):
        raise DataListError(f"{word}: '{folder}' is a data set; give a folder with abnormal images alone.")
    if is_plain_tree(root, ()):
        raise DataListError(
            f"{word}: '{folder}' has folders of classes; name each of them: monai-anomaly accept DIR/normal --abnormal "
            "DIR/abnormal."
        )
    try:
        if not walk_files(root):
            raise DataListError("the folder is empty; give one with images.")
        found = load_datalist(folder, "normals")
    except (DataListError, OSError) as error:
        raise DataListError(f"{word}: {error.strerror if isinstance(error, OSError) else error}") from None
    return [_mine(item, name, label) for item in found], Counter(found.left_out)


def _mine(item: dict[str, Any], name: str, label: int) -> dict[str, Any]:
    """Return an item of a set; a file that stands for its own patient is another one in another folder."""
    mine = {key: value for key, value in item.items() if key != "mask"} | {"set": name, "label": label}
    if item["group"] in _file_patients(item["image"]):
        mine["group"] = site_hash("patient")(f"{name}/{item['group']}")
    return mine


def _file_patients(path: str) -> set[str]:
    """Return what stands for the patient of an image of which nothing but its file is known."""
    parts, hashed = PurePath(path).parts, site_hash("patient")
    return {hashed("/".join(parts[start:])) for start in range(1, len(parts))}
