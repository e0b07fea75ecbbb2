# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which images train, validate and test: a MONAI data list or a folder tree, checked before anything is opened."""

from __future__ import annotations

import logging
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.folder_tree import find_class_folders, find_split, list_files, read_tree
from monai_anomaly.data.json_list import LIST_NAME, read_list

__all__ = ["SECTIONS", "load_datalist"]

SECTIONS = ("training", "validation", "test", "inference")
"""What :func:`load_datalist` can return."""

HELD_OUT = 0.1
logger = logging.getLogger(__name__)


def load_datalist(
    dataset_dir: PathLike | str,
    section: str,
    *,
    require_both: bool = False,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Returns the items of one section of a data set.

    ``dataset_dir`` holds either ``dataset.json``, a MONAI data list with ``training``, ``validation`` and ``test``,
    each a list of ``{"image", "label", "group"?, "mask"?, "frame"?}`` with paths relative to the folder; or the folders
    ``train/normal``, ``val/{normal,abnormal}`` and ``test/{normal,abnormal}``, whose names are matched without regard
    to case and with common synonyms. In a tree, files in a folder of their own below the class folder form one group.

    - ``training``: the normal images only; abnormal ones are never opened.
    - ``validation``: where the data set has none, a tenth of the training groups, drawn by ``seed``, is held out.
    - ``test``: as given.
    - ``inference``: the list's ``inference`` section, else its ``test`` section; in a folder without a list, the files
      of ``test``, else every file. A label that is not known is -1.

    Args:
        dataset_dir: the data set's folder.
        section: one of ``training``, ``validation``, ``test`` and ``inference``.
        require_both: refuse a test section with one class.
        seed: decides which groups are held out.

    Returns:
        Items with ``image`` (absolute path), ``name`` (path relative to the folder, with ``/``), ``label`` (0 normal,
        1 abnormal), ``group`` (patient), ``index`` (0, 1, ...) and, where given, ``frame`` and ``mask`` (absolute path;
        empty for normal images of a list that marks its abnormal ones).

    Raises:
        DataListError: whatever is wrong with the folder or the list; nothing has been opened or written by then.
        ValueError: for an unknown section.
    """
    if section not in SECTIONS:
        raise ValueError(f"section must be one of {', '.join(SECTIONS)}, got {section!r}.")
    root = Path(dataset_dir).expanduser().absolute()
    if not root.is_dir():
        raise DataListError(
            f"dataset_dir must be an existing folder, got {str(dataset_dir)!r}; give the folder that holds "
            f"{LIST_NAME} or train/normal."
        )
    listed = (root / LIST_NAME).is_file()
    if section == "inference" and not listed:
        items = _find_inference(root)
    else:
        sections = read_list(root) if listed else read_tree(root)
        items = _select(sections, section, seed)
    _check_files(root, items)
    if section == "test" and require_both:
        _require_both(items)
    return [{**item, "index": index} for index, item in enumerate(items)]


def _select(sections: dict[str, list[dict[str, Any]]], section: str, seed: int) -> list[dict[str, Any]]:
    """Returns one section's items, after the checks that concern all sections."""
    _check_splits(sections)
    if section == "inference":
        items = sections["inference"] or sections["test"]
        if not items:
            raise DataListError(f'{LIST_NAME} has neither "inference" nor "test" entries; add one of the two.')
        return [{key: value for key, value in item.items() if key != "mask"} for item in items]
    if section == "test":
        if not sections["test"]:
            raise DataListError(
                'the data set has no test images; add a "test" section to dataset.json or the folders test/normal and '
                "test/abnormal."
            )
        return sections["test"]
    if section == "validation" and sections["validation"]:
        return sections["validation"]
    normals = [item for item in sections["training"] if item["label"] == 0]
    if not normals:
        raise DataListError(
            "the data set has no normal training images; put normal images into train/normal or list them under "
            '"training" in dataset.json with label 0.'
        )
    if sections["validation"]:
        return normals
    return _hold_out(normals, section, seed)


def _hold_out(normals: list[dict[str, Any]], section: str, seed: int) -> list[dict[str, Any]]:
    """Splits the training normals by group; returns the part for training or validation."""
    groups = sorted({item["group"] for item in normals})
    count = max(1, round(HELD_OUT * len(groups)))
    if len(groups) < 2:
        if section == "training":
            return normals
        raise DataListError(
            "the data set has no validation images and its training images form one group, so none can be held out; "
            "add a validation section or more groups."
        )
    chosen = {groups[i] for i in np.random.default_rng(seed).permutation(len(groups))[:count]}
    held = [item for item in normals if (item["group"] in chosen) == (section == "validation")]
    logger.warning(
        "No validation section: %d of %d training groups are held out for it (seed %d); %s has %d images.",
        count,
        len(groups),
        seed,
        section,
        len(held),
    )
    return held


def _check_splits(sections: dict[str, list[dict[str, Any]]]) -> None:
    """Refuses a group or a file that is in two of training, validation and test."""
    groups: dict[str, str] = {}
    files: dict[str, str] = {}
    for section in ("training", "validation", "test"):
        for item in sections[section]:
            for kind, seen, value in (("file", files, item["name"]), ("group", groups, item["group"])):
                other = seen.setdefault(value, section)
                if other != section:
                    raise DataListError(
                        f"the {kind} {value!r} is in {other} and in {section}; keep each patient in one section "
                        "(in a folder tree, a folder below a class folder counts as one patient; rename it if not)."
                    )


def _check_files(root: Path, items: list[dict[str, Any]]) -> None:
    """Refuses items whose image or mask is not there."""
    for item in items:
        for key in ("image", "mask"):
            path = item.get(key)
            if path and not Path(path).is_file():
                name = Path(path).relative_to(root).as_posix()
                raise DataListError(f"the {key} {name!r} does not exist; add the file or remove the entry.")


def _require_both(items: list[dict[str, Any]]) -> None:
    """Refuses a test section with one class."""
    labels = {item["label"] for item in items}
    if labels != {0, 1}:
        missing = "abnormal" if 0 in labels else "normal"
        raise DataListError(
            f"the test section has no {missing} images, and the AUC is undefined with one class; add {missing} test "
            "images or run inference.json, which needs no labels."
        )


def _find_inference(root: Path) -> list[dict[str, Any]]:
    """Returns the files of a folder without a list: those of its test split, else all."""
    if find_class_folders(root, "test"):
        return read_tree(root)["test"]
    items = list_files(root, find_split(root, "test") or root, label=-1, every=True)
    if not items:
        raise DataListError("dataset_dir holds no files; give a folder with images.")
    return items
