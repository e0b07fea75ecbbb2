# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the app asks a datastore of MONAI Label, so that all but the server can be used without MONAI Label."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

__all__ = ["FINAL", "Studies", "files_of", "path_of", "stamp_of"]

FINAL = "final"
"""MONAI Label's tag of a label that a reader has submitted."""


class Studies(Protocol):
    """A datastore; see ``monailabel.interfaces.datastore.Datastore``."""

    @property
    def home(self) -> Path:
        """The folder for what belongs to the datastore."""

    def list_images(self) -> list[str]:
        """Return the names of all images."""

    def get_unlabeled_images(self) -> list[str]:
        """Return the names of the images without a final label."""

    def get_image_uri(self, image_id: str) -> str:
        """Return the path of an image, which is fetched if need be."""

    def get_label_by_image_id(self, image_id: str, tag: str) -> str:
        """Return the name of a label; empty without one."""

    def get_label_info(self, label_id: str, label_tag: str) -> dict[str, Any]:
        """Return what was said with a label."""

    def get_label_uri(self, label_id: str, label_tag: str) -> str:
        """Return the path of a label."""


def path_of(studies: Studies, image: str) -> Path:
    """Return the path of an image, a file or a folder.

    Raises:
        FileNotFoundError: when the datastore has no such image.
        ImageReadError: when it cannot be fetched.
        OSError: when a server does not answer.
    """
    uri = studies.get_image_uri(image)
    if not uri:
        raise FileNotFoundError
    return Path(uri)


def files_of(path: Path) -> list[Path]:
    """Return the files of an image: itself, or those of its folder in order."""
    return sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]


def stamp_of(path: Path) -> str:
    """Return what changes with a file: its size and time; of a folder, which is fetched once, the number of files."""
    if path.is_dir():
        return f"{len(files_of(path))} files"
    state = path.stat()
    return f"{state.st_size} {state.st_mtime_ns}"
