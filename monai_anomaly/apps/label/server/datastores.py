# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""MONAI Label's datastore of a folder, with our scores in what it says of images; and one of a DICOMweb server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock
from monailabel.datastore.local import DataModel, ImageLabelModel, LocalDatastore

from monai_anomaly.apps.label.dicom_web import DicomWebSource
from monai_anomaly.apps.label.server.refusals import answer_refusals
from monai_anomaly.apps.label.verdicts import check_verdict
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.file_kind import SUFFIXES
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.identity import site_hash

__all__ = ["EXTENSIONS", "DicomWebStudies", "FolderStudies"]

EXTENSIONS = tuple(f"*{spelled}" for suffix in SUFFIXES for spelled in (suffix, suffix.upper()))
_LIST_SECONDS = 30.0


class FolderStudies(LocalDatastore):
    """The images of a folder; ``get_image_info`` has our record under ``anomaly``.

    Args:
        folder: the images' folder.
        **options: of MONAI Label's ``LocalDatastore``.
    """

    def __init__(self, folder: str, **options: Any) -> None:
        self.records: Callable[[str], dict[str, Any]] = lambda image: {}
        super().__init__(folder, extensions=EXTENSIONS, **options)

    @property
    def home(self) -> Path:
        """The folder."""
        return Path(self._datastore_path)

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        """Return what is known of an image."""
        return super().get_image_info(image_id) | self.records(image_id)

    def json(self) -> Any:
        """Return everything that is known."""
        content = super().json()
        for image, known in content["objects"].items():
            known["image"]["info"] |= self.records(image)
        return content

    def save_label(self, image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]) -> str:
        """Save a label, unless the verdict that comes with it makes no sense."""
        with answer_refusals():
            check_verdict(label_info or {})
        name: str = super().save_label(image_id, label_filename, label_tag, label_info)
        return name

    def _update_datastore_file(self, lock: bool = True) -> None:
        """Write the file that holds all labels' verdicts whole or not at all: MONAI Label ends tasks by SIGKILL."""
        with FileLock(self._lock_file) if lock else nullcontext():
            content = self._datastore.model_dump(exclude={"base_path"})
            atomic_write(Path(self._datastore_config_path), json.dumps(content, indent=2, default=str))
            self._config_ts = Path(self._datastore_config_path).stat().st_mtime


class DicomWebStudies(FolderStudies):
    """The series of a DICOMweb server, each a folder of its files as they are stored; labels stay on this machine.

    Args:
        folder: where series and labels are kept.
        source: the server.
    """

    def __init__(self, folder: str, source: DicomWebSource) -> None:
        self._source = source
        self._hash = site_hash("series")
        self._listed: tuple[float, dict[str, str]] | None = None
        super().__init__(folder, auto_reload=False)

    def name(self) -> str:
        """Return where the server is."""
        return str(self._source.client.base_url)

    def list_images(self) -> list[str]:
        """Return the UIDs of the series."""
        return list(self._series())

    def get_unlabeled_images(self, label_tag: str | None = None, labels: list[str] | None = None) -> list[str]:
        """Return the UIDs of the series without a final label."""
        done = set(self.get_labeled_images(label_tag, labels))
        return [series for series in self.list_images() if series not in done]

    def get_image_uri(self, image_id: str) -> str:
        """Return the folder of a series, which is fetched once."""
        folder = Path(self._datastore.image_path(), self._filename(image_id, "")).absolute()
        if not folder.is_dir():
            study = self._series().get(image_id)
            if study is None:
                raise ImageReadError("not_found", "the server has no such series, or the search filter leaves it out.")
            self._source.fetch(study, image_id, folder)
        if image_id not in self._datastore.objects:
            self._datastore.objects[image_id] = ImageLabelModel(image=DataModel(info={"ts": int(time.time())}))
            self._update_datastore_file()
        return str(folder)

    def save_label(self, image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]) -> str:
        """Save a label here; nothing is sent to the server."""
        with answer_refusals():
            self.get_image_uri(image_id)
        return super().save_label(image_id, label_filename, label_tag, label_info)

    def _series(self) -> dict[str, str]:
        if self._listed is None or time.monotonic() - self._listed[0] > _LIST_SECONDS:
            self._listed = time.monotonic(), self._source.series()
        return self._listed[1]

    def _filename(self, id: str, ext: str) -> str:
        return f"{self._hash(id)}{ext}"
