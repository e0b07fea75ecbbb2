# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which folders in a folder hold normal images, and which abnormal ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.entries import Naming
from monai_anomaly.data.lists.files import list_folders
from monai_anomaly.data.lists.folders.folder_names import EVERY, class_of, is_finding, section_of
from monai_anomaly.data.lists.folders.folder_summary import describe_folder
from monai_anomaly.data.lists.folders.helper_names import folder_word

__all__ = ["ClassFolders", "find_classes", "is_class", "take_only"]


class ClassFolders(NamedTuple):
    """The folders by class: None where there is no normal one, several where the user named abnormal ones."""

    normal: Path | None
    abnormal: tuple[Path, ...]


def find_classes(root: Path, parent: Path, naming: Naming, abnormal_folders: Sequence[str]) -> ClassFolders | None:
    """Return the normal and the abnormal folders in a folder, None where no folder in it is a class.

    Beside class folders those of masks (``masks``, ``ground_truth``, ...) are passed over, and in `root` the pool's.

    Args:
        root: the data set's folder.
        parent: the folder to look into.
        naming: how folders are called in messages.
        abnormal_folders: names of further abnormal folders, see
            :func:`~monai_anomaly.data.lists.folders.folder_names.check_folders`. They win over our own names; with
            :data:`~monai_anomaly.data.lists.folders.folder_names.EVERY` all folders beside a normal one are abnormal.

    Raises:
        DataListError: for two folders of one meaning, or a folder without one beside a class.
    """
    folders = [folder for folder in list_folders(parent) if parent != root or section_of(folder.name) is None]
    named = [folder for folder in folders if folder.name.strip().lower() in abnormal_folders]
    of_masks = [folder for folder in folders if folder not in named and folder_word(folder.name)]
    folders = [folder for folder in folders if folder not in of_masks]
    others = [folder for folder in folders if folder not in named]
    normal = take_only([folder for folder in others if class_of(folder.name) == 0], root)
    if normal and EVERY in abnormal_folders:
        return ClassFolders(normal, tuple(folder for folder in folders if folder != normal))
    abnormal = take_only([folder for folder in others if class_of(folder.name) == 1], root)
    found = ClassFolders(normal, (*named, *([abnormal] if abnormal else [])))
    if not any(found):
        return None
    unknown = [folder for folder in others if folder not in (normal, abnormal)]
    if unknown:
        raise DataListError(_explain_unknown(root, parent, unknown, len(folders), naming))
    return found


def is_class(name: str, abnormal_folders: Sequence[str]) -> bool:
    """Return whether a folder of this name is a class wherever it stands."""
    return class_of(name) is not None or name.strip().lower() in abnormal_folders


def _explain_unknown(root: Path, parent: Path, unknown: Sequence[Path], count: int, naming: Naming) -> str:
    """Say that folders are no class, which, and how they become one."""
    place = "dataset_dir" if parent == root else parent.name
    words = [folder.name for folder in unknown if naming.source_names or is_finding(folder.name)]
    more = len(unknown) - len(words)
    hidden = f"{more} with another name, which --source_names True shows" if more else ""
    which = ", ".join([*map(repr, words), *([hidden] if hidden else [])])
    value = EVERY if more else "[" + ",".join(f"'{word}'" for word in words) + "]"
    return (
        f"{len(unknown)} of the {count} folders in {place} are neither a normal nor an abnormal class ({which}); if "
        f'they hold abnormal images, say so with --abnormal_folders "{value}", else move them away or write a '
        f"dataset.json. {describe_folder(root, naming)}"
    )


def take_only(folders: Sequence[Path], root: Path) -> Path | None:
    """Return the only folder, None for no folder.

    Raises:
        DataListError: for several, which must have names of ours.
    """
    if len(folders) > 1:
        names = " and ".join(folder.relative_to(root).as_posix() for folder in folders)
        raise DataListError(
            f"{names} mean the same; keep one of them, name those that are abnormal with --abnormal_folders, or write "
            "a dataset.json."
        )
    return folders[0] if folders else None
