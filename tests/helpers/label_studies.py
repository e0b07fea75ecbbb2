# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A folder of pictures that answers as a datastore of MONAI Label does, without MONAI Label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.helpers.pictures import make_gray

__all__ = ["FakeStudies"]


class FakeStudies:
    """Images are the entries of a folder; labels are given by :meth:`say`.

    Args:
        home: the folder.
        count: pictures to write into it.
    """

    def __init__(self, home: Path, count: int = 0) -> None:
        self.home = home
        self._labels: dict[str, tuple[Path, dict[str, Any]]] = {}
        home.mkdir(exist_ok=True)
        for number in range(count):
            Image.fromarray(make_gray(64, 64, seed=number)).save(home / f"s{number:02d}.png")

    def say(self, image: str, mask: Any = None, **info: Any) -> None:
        """Submit a label: an array or bytes that are none, and what is said with it."""
        path = self.home / "labels" / "final" / f"{image}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(mask, bytes):
            path.write_bytes(mask)
        else:
            Image.fromarray(np.zeros((4, 4), np.uint8) if mask is None else mask).save(path)
        self._labels[image] = (path, info)

    def list_images(self) -> list[str]:
        return sorted(path.stem for path in self.home.iterdir() if path.name not in ("labels", "anomaly"))

    def get_unlabeled_images(self) -> list[str]:
        return [image for image in self.list_images() if image not in self._labels]

    def get_image_uri(self, image_id: str) -> str:
        return next((str(path) for path in self.home.iterdir() if path.stem == image_id), "")

    def get_label_by_image_id(self, image_id: str, tag: str) -> str:
        return image_id if tag == "final" and image_id in self._labels else ""

    def get_label_info(self, label_id: str, label_tag: str) -> dict[str, Any]:
        return self._labels[label_id][1]

    def get_label_uri(self, label_id: str, label_tag: str) -> str:
        return str(self._labels[label_id][0])
