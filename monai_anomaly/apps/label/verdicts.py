# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a reader has said of an image: with the label that he submitted, or by what the label marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_anomaly.apps.label.studies import FINAL, Studies
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["VERDICTS", "Verdict", "check_verdict", "find_verdicts"]

VERDICTS = ("normal", "abnormal")
"""What can be said; the place is the label of a data list."""
KEY = "verdict"

_SECONDS = 10.0


@dataclass(frozen=True)
class Verdict:
    """A reader's verdict.

    Args:
        label: 0 normal, 1 abnormal.
        mask: the file that marks the finding; None where nothing is marked.
        shape: rows and columns of the mask; None without one.
    """

    label: int
    mask: Path | None = None
    shape: tuple[int, int] | None = None


def check_verdict(info: Mapping[str, Any]) -> str | None:
    """Return what was said with a label; None where nothing was.

    Args:
        info: what came with the label.

    Raises:
        ConfigError: for another word.
    """
    word = info.get(KEY)
    if word is not None and word not in VERDICTS:
        raise ConfigError(f"verdict must be {' or '.join(VERDICTS)}, got {word!r}; the label was not saved.")
    return word


def find_verdicts(studies: Studies) -> tuple[dict[str, Verdict], int]:
    """Return the verdict on each image that has a final label, and how many such labels could not be read.

    What was said with the label counts; else a label that marks something is ``abnormal``, and one that marks nothing
    ``normal``.

    Args:
        studies: the images and labels.
    """
    reader = ClinicalImageReader(decode_limit=_SECONDS)
    found: dict[str, Verdict] = {}
    unreadable = 0
    for image in studies.list_images():
        label = studies.get_label_by_image_id(image, FINAL)
        if not label:
            continue
        verdict = _verdict(studies.get_label_info(label, FINAL), Path(studies.get_label_uri(label, FINAL)), reader)
        if verdict is None:
            unreadable += 1
        else:
            found[image] = verdict
    return found, unreadable


def _verdict(info: Mapping[str, Any], path: Path, reader: ClinicalImageReader) -> Verdict | None:
    word = info.get(KEY)
    try:
        shape = _marked(path, reader)
    except (ImageReadError, OSError):
        return Verdict(VERDICTS.index(word)) if word in VERDICTS else None
    label = VERDICTS.index(word) if word in VERDICTS else int(shape is not None)
    return Verdict(label, path, shape) if label == 1 and shape is not None else Verdict(label)


def _marked(path: Path, reader: ClinicalImageReader) -> tuple[int, int] | None:
    """Return rows and columns of a mask that marks something in any of its pictures; None for an empty one."""
    frames = reader.count_frames(path)
    for frame in range(frames):
        mask = reader.read_mask(path, frame, frames)
        if mask.any():
            return int(mask.shape[0]), int(mask.shape[1])
    return None
