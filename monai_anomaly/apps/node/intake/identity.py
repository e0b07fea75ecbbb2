# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a file says that it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import RE_VALID_UID

from monai_anomaly.apps.node.intake.taking import NotTakenError
from monai_anomaly.data.dicom.bounds import Budget, bounded
from monai_anomaly.data.dicom.elements import quiet_pydicom
from monai_anomaly.data.dicom.file_meta import read_file_meta
from monai_anomaly.data.dicom.modality import modality_code
from monai_anomaly.data.dicom.syntax import check_syntax
from monai_anomaly.data.errors import ImageReadError

__all__ = ["Identity", "is_uid", "read_identity"]

UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True)
class Identity:
    """The UIDs of a file, each of them valid, and its kind; None for one that it is without.

    Args:
        sop_class_uid: of what kind it is.
        sop_instance_uid: its own.
        study_instance_uid: of its study.
        series_instance_uid: of its series.
        modality: one of the standard's codes.
    """

    sop_class_uid: str | None
    sop_instance_uid: str
    study_instance_uid: str | None
    series_instance_uid: str | None
    modality: str | None = None


def is_uid(text: str) -> bool:
    """Return whether a text is a valid UID; pydicom's own class warns with the text."""
    return len(text) <= 64 and re.fullmatch(RE_VALID_UID, text) is not None


def read_identity(path: Path, said: str | None = None) -> Identity:
    """Read what a file says that it is, within the reader's bounds; nothing else of it is looked at.

    Args:
        path: a Part 10 file.
        said: the SOP instance UID that its sender says; None if the sender says nothing.

    Raises:
        NotTakenError: naming what is wrong.
        OSError: when the file cannot be read.
    """
    values = _values(path)
    modality, uid = modality_code(values.pop("Modality").strip(" \0")), values["SOPInstanceUID"]
    if not uid or (said is not None and said != uid):
        raise NotTakenError("bad_uid")
    if any(value and not is_uid(value) for value in values.values()):
        raise NotTakenError("bad_uid")
    return Identity(
        *(values["SOPClassUID"] or None, uid, values["StudyInstanceUID"] or None, values["SeriesInstanceUID"] or None),
        modality=modality,
    )


def _values(path: Path) -> dict[str, str]:
    """Read the four UIDs and the modality; a deflated header, which could inflate to anything, is refused."""
    tags = [*UIDS, "Modality"]
    try:
        with quiet_pydicom(), open(path, "rb") as stream:
            budget = Budget()
            with budget.enforced():
                check_syntax(read_file_meta(bounded(stream, budget)))
                stream.seek(0)
                found = dcmread(bounded(stream, budget), stop_before_pixels=True, specific_tags=tags, defer_size=1024)
            return {tag: str(found.get(tag) or "") for tag in tags}
    except ImageReadError as error:
        raise NotTakenError(error.code) from None
    except Exception as error:  # whatever pydicom raises of a hostile file, it is no file for us
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise NotTakenError("not_dicom") from None
