# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which images of a datastore are learned from: those without a verdict, of patients without one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monai_anomaly.apps.label.studies import FINAL, Studies, files_of, path_of
from monai_anomaly.apps.label.verdicts import find_verdicts
from monai_anomaly.calibration.conformal import patients_needed
from monai_anomaly.data.lists.entries import NO_LABEL, Entry
from monai_anomaly.data.lists.patients import add_patients_to_entries
from monai_anomaly.utils.exceptions import TrainingError
from monai_anomaly.utils.identity import site_hash

__all__ = ["TrainingSet", "choose_images"]

_HELD_OUT = 0.1
_LEAST = 4
"""Patients below which nothing can be trained and held out."""


@dataclass(frozen=True)
class TrainingSet:
    """What is learned from.

    Args:
        training: entries of the data list to learn from.
        validation: those that are held out, to calibrate with.
        images: MONAI Label's names of all of them.
        counts: the number of images that are used, and of those that are left out, by reason.
    """

    training: tuple[dict[str, Any], ...]
    validation: tuple[dict[str, Any], ...]
    images: tuple[str, ...]
    counts: dict[str, int]

    def datalist(self) -> dict[str, Any]:
        """Return the content of ``dataset.json``."""
        return {"training": list(self.training), "validation": list(self.validation)}


def choose_images(studies: Studies, *, rate: float, seed: int = 0, with_normals: bool = False) -> TrainingSet:
    """Choose the images to learn from, and hold a tenth of their patients out, or as many as a calibration needs.

    An image with a verdict tests detectors, so that it is not learned from, nor are other images of its patient.

    Args:
        studies: the images and labels.
        rate: the false-alarm rate that the calibration is to support.
        seed: draws the patients that are held out.
        with_normals: learn from images that a reader has called normal, too; they test this detector no longer.

    Raises:
        TrainingError: when too few are left.
    """
    verdicts, _ = find_verdicts(studies)
    named: list[str] = []
    tested: list[str] = []
    counts: Counter[str] = Counter()
    for image in studies.list_images():
        label = studies.get_label_by_image_id(image, FINAL)
        if not label or (with_normals and image in verdicts and verdicts[image].label == 0):
            named.append(image)
            continue
        tested.append(image)
        counts[f"verdict {_word(image, verdicts)}, left out"] += 1
    entries, unavailable = _entries(studies, named)
    of_tested, _ = _entries(studies, tested)
    known = add_patients_to_entries(Path("/"), [*of_tested, *entries])
    patients = {entry.patient for entry in known[: len(of_tested)]}
    kept = [entry for entry in known[len(of_tested) :] if entry.patient not in patients]
    counts["of a patient with a verdict, left out"] = len(entries) - len(kept)
    counts["not to be had, left out"] = unavailable
    training, validation = _hold_out(kept, rate, seed)
    counts["used"] = len(kept)
    images = dict.fromkeys(entry.where for entry in kept)
    return TrainingSet(_listed(training), _listed(validation), tuple(images), {k: v for k, v in counts.items() if v})


def _word(image: str, verdicts: dict[str, Any]) -> str:
    return "unknown" if image not in verdicts else ("normal", "abnormal")[verdicts[image].label]


def _entries(studies: Studies, images: Sequence[str]) -> tuple[list[Entry], int]:
    """Return an entry for each file, whose place is the image's name, and the number of images without any."""
    entries: list[Entry] = []
    unavailable = 0
    for image in images:
        try:
            files = [file for file in files_of(path_of(studies, image)) if file.is_file()]
        except (OSError, ValueError):
            files = []
        unavailable += not files
        entries += [Entry(name=str(file), where=image, label=NO_LABEL) for file in files]
    return entries, unavailable


def _hold_out(entries: Sequence[Entry], rate: float, seed: int) -> tuple[list[Entry], list[Entry]]:
    """Return training and validation, of different patients."""
    patients = list(dict.fromkeys(entry.patient for entry in entries))
    if len(patients) < _LEAST:
        raise TrainingError(
            f"there are images of {len(patients)} patients without a verdict, and it takes {_LEAST}; add images."
        )
    needed = patients_needed(rate)
    count = math.ceil(_HELD_OUT * len(patients))
    if len(patients) >= 3 * needed:
        count = max(count, needed)
    drawn = np.random.default_rng(seed).permutation(len(patients))[:count]
    held = {patients[place] for place in drawn}
    parts: tuple[list[Entry], list[Entry]] = ([], [])
    for entry in entries:
        parts[entry.patient in held].append(entry)
    return parts


def _listed(entries: Sequence[Entry]) -> tuple[dict[str, Any], ...]:
    patient = site_hash("patient")
    return tuple({"image": entry.name, "label": 0, "group": patient(entry.patient)} for entry in entries)
