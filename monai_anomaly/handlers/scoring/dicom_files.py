# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The DICOM objects of each scored image, in a folder of their own."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.handlers.scoring.inference_files import DICOM_FOLDER
from monai_anomaly.scoring.result import Result
from monai_anomaly.scoring.source_pictures import SourcePictures
from monai_anomaly.utils.identity import site_key, stream_digest

if TYPE_CHECKING:  # highdicom is loaded where objects are made, and only there
    from monai_anomaly.dicom_results.dicom_results import DicomResults

__all__ = ["DicomFiles", "write_objects"]

Picture = npt.NDArray[np.float32]


class DicomFiles:
    """Writes ``dicom/<running number>/{sr,sc,seg,seg_binary}.dcm`` into a run's own folder.

    A record says under ``dicom`` where they are, by their kinds, under ``dicom_digests`` which bytes they have, and
    under ``dicom_reason`` why there are none, or not all: the file is no DICOM, lacks a UID, or is a cine.

    Args:
        make: gives what makes the objects, from the calibration that decides; called when the run starts.
        items: the data list, with ``index`` and ``image``, the file's path.
        sources: gives the source pictures where they are not at hand.
    """

    def __init__(
        self,
        make: Callable[[Calibration | None], DicomResults],
        items: Iterable[Mapping[str, Any]],
        sources: SourcePictures,
    ) -> None:
        self._make = make
        self._paths: dict[int, str | os.PathLike[str]] = {int(item["index"]): item["image"] for item in items}
        self._sources = sources

    def start(self, folder: Path, calibration: Calibration | None) -> None:
        """Begin a run.

        Args:
            folder: the run's own folder, absolute.
            calibration: what decides.
        """
        self._folder = folder
        self._results = self._make(calibration)

    def write(self, result: Result, number: int, index: int, picture: Picture | None) -> dict[str, Any]:
        """Write the objects of a result, and return what its record says of them.

        Args:
            result: scored or not.
            number: of its record.
            index: of its item in the data list.
            picture: the whole frame ``(C, rows, columns)``, where it is at hand.

        Raises:
            OSError: when one cannot be written.
        """
        frame, shape = result.frame, result.source_shape
        read = None if shape is None else lambda: self._sources.read(index, frame, shape).pixels
        return write_objects(
            self._results, self._folder, number, self._paths[index], result, read if picture is None else picture
        )

    def keep(self, record: Mapping[str, Any], folder: Path, number: int) -> dict[str, Any]:
        """Copy the objects of a kept record to their places here, as :meth:`.PictureFiles.keep` takes files over."""
        names = {kind: f"{DICOM_FOLDER}/{number:06d}/{kind}.dcm" for kind in record["dicom"] or ()}
        if names:
            (self._folder / DICOM_FOLDER / f"{number:06d}").mkdir()
        for kind, name in names.items():
            shutil.copyfile(folder / record["dicom"][kind], self._folder / name)
        return {**record, "dicom": names or None}


def write_objects(
    results: DicomResults,
    folder: Path,
    number: int,
    source: Dataset | str | os.PathLike[str],
    result: Result,
    picture: Picture | Callable[[], Picture] | None = None,
) -> dict[str, Any]:
    """Write the objects of a result into ``dicom/<number>`` of a folder, and return what its record says of them.

    Args:
        results: makes the objects.
        folder: the run's own folder.
        number: of the record.
        source: the image's path, or its data set.
        result: scored or not.
        picture: the whole frame ``(C, rows, columns)``, or what reads it; None asks the result.

    Raises:
        OSError: when one cannot be written.
    """
    from monai_anomaly.dicom_results.errors import DicomResultError

    if result.status != "scored" or result.source_shape is None:
        return _said({}, {}, "there is no score to report.")
    try:
        objects = results.make(source, result, picture=picture)
    except (DicomResultError, ImageReadError) as error:
        return _said({}, {}, error.message)
    target = folder / DICOM_FOLDER / f"{number:06d}"
    target.mkdir()
    for made in objects:
        (target / f"{made.kind}.dcm").write_bytes(made.content)
    names = {made.kind: f"{DICOM_FOLDER}/{number:06d}/{made.kind}.dcm" for made in objects}
    digests = {made.kind: stream_digest(io.BytesIO(made.content), site_key()) for made in objects}
    return _said(names, digests, _why_not_all(results.kinds, names))


def _why_not_all(wanted: Iterable[str], names: Mapping[str, str]) -> str:
    if "seg" in wanted and "seg" not in names:
        return "no segmentation: it is of still images only, as frames of a cine have no frame of reference."
    return ""


def _said(names: dict[str, str], digests: dict[str, str], reason: str) -> dict[str, Any]:
    return {"dicom": names or None, "dicom_digests": digests or None, "dicom_reason": reason or None}
