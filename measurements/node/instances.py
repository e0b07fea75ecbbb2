# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""DICOM instances to send: the phantom's files and real ones of pydicom's wheel, each with a UID of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from monai_anomaly.phantom.dicom import make_uid
from monai_anomaly.phantom.phantom import PhantomKind, make_phantom

__all__ = ["REAL", "make_instances"]

REAL = ("examples_rgb_color.dcm", "examples_jpeg2k.dcm", "examples_palette.dcm", "examples_ybr_color.dcm")
"""Real ultrasound, stills and a cine, in four encodings."""

KINDS: tuple[PhantomKind, ...] = ("radiograph", "ultrasound")


def make_instances(folder: Path, number: int, *, name: str = "node", real: Sequence[str] = REAL) -> dict[str, Path]:
    """Write instances, ten to a series and two series to a study.

    Args:
        folder: gets a file for each.
        number: how many.
        name: the same name gives the same UIDs.
        real: the wheel's files that are mixed in, one in eight instances.

    Returns:
        The files by their SOP instance UIDs.
    """
    generated = [image for kind in KINDS for image in _phantom(kind)]
    genuine = [dcmread(str(get_testdata_file(file, download=False))) for file in real]
    made = {}
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        source = generated[index % len(generated)]
        if genuine and index % 8 == 7:
            source = genuine[index // 8 % len(genuine)]
        path = folder / f"{index:06d}.dcm"
        _rename(source, name, index)
        source.save_as(path)
        made[str(source.SOPInstanceUID)] = path
    return made


@cache
def _phantom(kind: PhantomKind) -> list[Dataset]:
    with tempfile.TemporaryDirectory() as folder:
        make_phantom(folder, kind=kind, seed=1, num_train=24, num_val=2, num_test=8, num_unlabeled=0, progress=False)
        return [dcmread(path) for path in sorted(Path(folder).rglob("*.dcm"))]


def _rename(source: Dataset, name: str, index: int) -> None:
    source.SOPInstanceUID = source.file_meta.MediaStorageSOPInstanceUID = make_uid(name, str(index))
    source.SeriesInstanceUID = make_uid(name, "series", str(index // 10), str(source.SOPClassUID))
    source.StudyInstanceUID = make_uid(name, "study", str(index // 20))
    source.PatientID = f"{name}-{index // 20}"
    source.InstanceNumber = index % 10 + 1
