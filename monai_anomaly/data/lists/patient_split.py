# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A seeded split by patient into training, validation and test, for detectors that are trained on normal images."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np

from monai_anomaly.data.lists.entries import Entry
from monai_anomaly.data.lists.section import Section
from monai_anomaly.data.lists.sections import EntriesBySection

__all__ = ["DEFAULT_SHARES", "check_shares", "split_patients"]

DEFAULT_SHARES = (0.6, 0.1, 0.3)
"""Shares of training, validation and test."""

SECTIONS = (Section.TRAINING, Section.VALIDATION, Section.TEST)
logger = logging.getLogger(__name__)


def check_shares(shares: Sequence[float]) -> tuple[float, float, float]:
    """Return the shares of training, validation and test.

    Raises:
        ValueError: unless they are three numbers that sum to 1, with something to train on and to test on.
    """
    if (
        isinstance(shares, str)
        or len(shares) != 3
        or not all(isinstance(share, (int, float)) and 0 <= share <= 1 for share in shares)
        or not math.isclose(sum(shares), 1, abs_tol=1e-6)
        or not (shares[0] and shares[2])
    ):
        raise ValueError(
            "split_shares must be the shares of training, validation and test, three numbers that sum to 1, of which "
            f"only validation may be 0, got {shares!r}."
        )
    return float(shares[0]), float(shares[1]), float(shares[2])


def split_patients(
    entries: Sequence[Entry], *, seed: int, shares: Sequence[float], quiet: bool = False
) -> EntriesBySection:
    """Deal whole patients out to training, validation and test.

    Patients with any abnormal image go to validation and test only, in the proportion of these two; all others are
    dealt out by the shares. Each section gets at least one patient of each kind that it may have, where there are
    enough. What a patient is called does not matter, only the order of first appearance.

    Args:
        entries: images with a label and a patient; the order decides with the seed.
        seed: draws the patients.
        shares: of training, validation and test; see :func:`check_shares`.
        quiet: do not say how they are split.
    """
    training, validation, test = check_shares(shares)
    ill = {entry.patient for entry in entries if entry.label == 1}
    patients = list(dict.fromkeys(entry.patient for entry in entries))
    random = np.random.default_rng(seed)
    section_of: dict[str, Section] = {}
    for kind, parts in (
        ([p for p in patients if p not in ill], (training, validation, test)),
        ([p for p in patients if p in ill], (0.0, validation, test)),
    ):
        counts = _deal(len(kind), parts)
        sections = [section for section, count in zip(SECTIONS, counts, strict=True) for _ in range(count)]
        for place, section in zip(random.permutation(len(kind)), sections, strict=True):
            section_of[kind[place]] = section
    if not quiet:
        _log(entries, section_of, ill, seed, (training, validation, test))
    return EntriesBySection(*([e for e in entries if section_of[e.patient] is section] for section in SECTIONS))


def _deal(count: int, shares: Sequence[float]) -> list[int]:
    """Return whole numbers in proportion to the shares, none of them 0 for a share above 0 if it can be helped."""
    exact = [count * share / sum(shares) for share in shares]
    parts = [math.floor(value + 1e-9) for value in exact]
    for i in sorted(range(len(parts)), key=lambda i: parts[i] - exact[i])[: count - sum(parts)]:
        parts[i] += 1  # largest remainders first
    for i in (0, 2, 1):  # training, test, validation
        largest = int(np.argmax(parts))
        if shares[i] > 0 and parts[i] == 0 and parts[largest] > 1:
            parts[largest] -= 1
            parts[i] += 1
    return parts


def _log(
    entries: Sequence[Entry], section_of: dict[str, Section], ill: set[str], seed: int, shares: Sequence[float]
) -> None:
    parts = []
    for section in SECTIONS:
        patients = {patient for patient, dealt in section_of.items() if dealt is section}
        images = sum(entry.patient in patients for entry in entries)
        parts.append(
            f"{section} {len(patients)} patients ({len(patients & ill)} with abnormal images), {images} images"
        )
    logger.warning(
        "No split: patients are split by seed %d into shares of %s: %s.",
        seed,
        ", ".join(f"{share:g}" for share in shares),
        "; ".join(parts),
    )
