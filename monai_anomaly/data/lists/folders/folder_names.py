# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Names of splits, classes and files that mean something to us; none of them can be the name of a person."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from monai_anomaly.data.lists.section import Section

__all__ = ["EVERY", "POOL_NAMES", "SPLITS", "check_folders", "class_of", "is_finding", "is_no_image", "section_of"]

EVERY = "*"
"""Among the abnormal folders: every folder beside one of normal images."""

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
FINDINGS = frozenset(
    "abscess adenoma broken calcification cancer carcinoma contamination covid crack cracked damaged defect defective "
    "defects disease edema effusion fracture glioma hemorrhage infection infiltration lesions melanoma meningioma "
    "metastasis nodule opacity pathological pathology pneumonia pneumothorax polyp scratch scratched scratches "
    "tuberculosis tumor tumors tumour tumours ulcer unhealthy".split()
)
"""What data sets call their findings and faults. It says no class: some findings are somebody's normal images. But a
message may repeat it, as no patient is called so."""
QUALIFIERS = frozenset("bacterial faulty large lung skin small viral".split())
"""What may stand beside a finding in such a name; some of them are surnames on their own."""
OTHER_SUFFIXES = tuple(".txt .md .csv .tsv .json .yaml .yml .xml .html .pdf .ini .log .raw .zraw".split())
OTHER_NAMES = ("thumbs.db", "readme", "license", "dicomdir")


def class_of(name: str) -> int | None:
    """Return 0 for a name of the normal class, 1 for one of the abnormal class, None for any other."""
    for label, names in enumerate(CLASSES):
        if name.strip().lower() in names:
            return label
    return None


def is_finding(name: str) -> bool:
    """Return whether a name is made of words for findings and faults alone, such as ``broken_large``."""
    words = set(re.split(r"[ _-]+", name.strip().lower()))
    return bool(words & FINDINGS) and words <= FINDINGS | QUALIFIERS


def check_folders(names: object) -> tuple[str, ...]:
    """Return the names of the abnormal folders as they are compared: in lower case, each once.

    Args:
        names: a name or several, :data:`EVERY` among them for every folder beside one of normal images. A number is the
            name that looks like it, as the command line reads it.

    Raises:
        ValueError: for anything else, and for a path.
    """
    several = () if names is None else [names] if isinstance(names, (str, int)) else names
    texts = [_text(name) for name in several] if isinstance(several, Sequence) else [None]
    if None in texts:
        raise ValueError(
            "abnormal_folders must be the name of a folder or a list of names, without paths, such as "
            f"['defect','scratch'], or '{EVERY}' for every folder beside the normal one, got {names!r}."
        )
    return tuple(dict.fromkeys(text for text in texts if text))


def _text(name: object) -> str | None:
    """Return a folder's name as it is compared, None for what is none."""
    if isinstance(name, bool) or not isinstance(name, (str, int)):
        return None
    text = str(name).strip().rstrip("/").lower()
    return text if text and "/" not in text and "\\" not in text else None


def section_of(name: str) -> Section | None:
    """Return training, validation, test or unlabeled for a name of it, None for any other."""
    for section, names in (*SPLITS.items(), (Section.UNLABELED, POOL_NAMES)):
        if name.strip().lower() in names:
            return section
    return None


def is_no_image(path: Path) -> bool:
    """Return whether a file's name says that it is a text, a table or a directory of files."""
    return path.suffix.lower() in OTHER_SUFFIXES or path.name.lower() in OTHER_NAMES
