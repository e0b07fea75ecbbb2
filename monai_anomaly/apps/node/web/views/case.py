# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""All that a page shows of one case."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from monai_anomaly.apps.node.database.tables import Job
from monai_anomaly.report.overlay import OPACITY, draw_overlay
from monai_anomaly.utils.heatmap import encode_levels

__all__ = ["PICTURES", "Case", "picture_path", "read_case", "read_patient", "shown_map", "thumbnail"]

PICTURES = ("picture", "map")
"""What a worker leaves of a result for pages, as PNG."""

_THUMBNAIL = 160
_LONGEST_TEXT = 200
_OPACITIES = OPACITY[np.linspace(0, 255, 255).round().astype(int)]
_TRANSPARENCY = bytes(1) + np.rint(255 * _OPACITIES).astype(np.uint8).tobytes()
"""Of the indices of :func:`.encode_png_map`: 0 is what the detector did not see."""


@dataclass(frozen=True)
class Case:
    """A job with all that belongs to it.

    Args:
        job: with instance, detector, deliveries and verdicts loaded.
        pictures: those of :data:`PICTURES` that are there.
        patient: pairs of a word and a text of the stored file; empty unless it is switched on.
    """

    job: Job
    pictures: frozenset[str]
    patient: tuple[tuple[str, str], ...] = ()


def read_case(session: Session, number: int, folder: Path) -> Case | None:
    """Read a case; None where there is none of this number.

    Args:
        session: to read in.
        number: of the job.
        folder: the node's.
    """
    query = select(Job).where(Job.id == number)
    parts = (Job.instance, Job.detector, Job.deliveries, Job.verdicts)
    job = session.scalar(query.options(*(selectinload(part) for part in parts)))
    if job is None:
        return None
    return Case(job, frozenset(name for name in PICTURES if picture_path(folder, job.results, name) is not None))


def picture_path(folder: Path, results: str | None, name: str) -> Path | None:
    """Return where a picture is; None where there is none.

    Args:
        folder: the node's.
        results: of the job.
        name: of :data:`PICTURES`.
    """
    if results is None or name not in PICTURES:
        return None
    path = folder / results / f"{name}.png"
    inside = path.resolve().is_relative_to(folder.resolve())
    return path if inside and path.is_file() else None


def thumbnail(path: Path) -> bytes:
    """Return a picture with the map beside it over it, as a small PNG.

    Raises:
        OSError: when one of them cannot be read.
    """
    with Image.open(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    with Image.open(path.with_name("map.png")) as colors:
        indices = np.asarray(colors.resize(small.size, Image.Resampling.NEAREST), np.float32)
    source_map = np.where(indices > 0, (indices - 1) / 254, np.nan).astype(np.float32)  # see `encode_png_map`
    shown = np.moveaxis(np.asarray(small, np.float32) / np.float32(255), -1, 0)
    return encode_levels(draw_overlay(shown, source_map, (0.0, 1.0)))


def shown_map(path: Path) -> bytes:
    """Return a map as a PNG whose colors hide as much of the picture below as those of overlays do.

    Raises:
        OSError: when it cannot be read.
    """
    stream = io.BytesIO()
    with Image.open(path) as picture:
        picture.save(stream, format="PNG", compress_level=1, transparency=_TRANSPARENCY)
    return stream.getvalue()


def read_patient(path: Path) -> tuple[tuple[str, str], ...]:
    """Return the patient of a stored file, as texts that a page has to escape.

    Raises:
        ImageReadError: when the header cannot be read.
        OSError: when the file has gone.
    """
    from monai_anomaly.data.dicom.header import read_header
    from monai_anomaly.data.read_limits import ReadLimits

    with open(path, "rb") as stream:
        dataset: Any = read_header(stream, ReadLimits()).dataset
    words = {"PatientName": "Name", "PatientID": "Number", "PatientBirthDate": "Born", "AccessionNumber": "Accession"}
    return tuple((word, str(dataset.get(key) or "")[:_LONGEST_TEXT]) for key, word in words.items())
