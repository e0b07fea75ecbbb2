# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Names of splits, classes and files that mean something to us; none of them can be the name of a person."""

from __future__ import annotations

from pathlib import Path

from monai_anomaly.data.lists.section import Section

__all__ = ["POOL_NAMES", "SPLITS", "class_of", "is_no_image", "section_of"]

SPLITS = {
    Section.TRAINING: ("train", "training"),
    Section.VALIDATION: ("val", "valid", "validation"),
    Section.TEST: ("test", "testing"),
}
POOL_NAMES = ("unlabeled", "unlabelled")
"""Of the section of images that nobody has labeled, to learn from; in a tree one folder, without splits."""
CLASSES = (
    ("normal", "normals", "good", "benign", "healthy"),
    (
        "abnormal",
        "abnormals",
        "anomaly",
        "anomalies",
        "anomalous",
        "cancerous",
        "malignant",
        "diseased",
        "lesion",
        "bad",
    ),
)
OTHER_SUFFIXES = tuple(".txt .md .csv .tsv .json .yaml .yml .xml .html .pdf .ini .log .raw .zraw".split())
OTHER_NAMES = ("thumbs.db", "readme", "license", "dicomdir")


def class_of(name: str) -> int | None:
    """Return 0 for a name of the normal class, 1 for one of the abnormal class, None for any other."""
    for label, names in enumerate(CLASSES):
        if name.strip().lower() in names:
            return label
    return None


def section_of(name: str) -> Section | None:
    """Return training, validation, test or unlabeled for a name of it, None for any other."""
    for section, names in (*SPLITS.items(), (Section.UNLABELED, POOL_NAMES)):
        if name.strip().lower() in names:
            return section
    return None


def is_no_image(path: Path) -> bool:
    """Return whether a file's name says that it is a text, a table or a directory of files."""
    return path.suffix.lower() in OTHER_SUFFIXES or path.name.lower() in OTHER_NAMES
