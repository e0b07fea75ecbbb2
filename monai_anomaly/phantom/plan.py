# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The plan of a generated data set: which patient has which images, normal or with a lesion, and who is whose pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SPLITS", "Case", "plan_cases"]

SPLITS = ("training", "validation", "test", "unlabeled")
"""A split's place decides its draws: a new one comes last."""


@dataclass(frozen=True)
class Case:
    """One image to make. Pair members (same split and pair, other lesion) share all but anatomy and noise.

    Args:
        split: section of the data list.
        pair: number of the pair within the split.
        patient_pair: number of the pair of patients within the split.
        patient: number of the patient, four digits.
        number: which of the patient's images, from 1.
        kind: the lesion, None for a normal.
        name: path of the file below the data set's folder, without suffix.
    """

    split: str
    pair: int
    patient_pair: int
    patient: str
    number: int
    kind: str | None
    name: str

    def machine_rng(self, seed: int) -> np.random.Generator:
        """Return the draws of the patient's study, the same for its pair. `seed` is the data set's, here and below."""
        return self._rng(seed, 0, paired=True, patient=True)

    def view_rng(self, seed: int) -> np.random.Generator:
        """Return the draws of the view, the same for the pair."""
        return self._rng(seed, 1, paired=True, patient=False)

    def body_rng(self, seed: int) -> np.random.Generator:
        """Return the draws of the patient, the same for all of the patient's images."""
        return self._rng(seed, 2, paired=False, patient=True)

    def image_rng(self, seed: int) -> np.random.Generator:
        """Return the draws of this image alone."""
        return self._rng(seed, 3, paired=False, patient=False)

    def _rng(self, seed: int, purpose: int, *, paired: bool, patient: bool) -> np.random.Generator:
        """Return what chance decides for one purpose, each of which gives other draws.

        Args:
            seed: of the data set.
            purpose: a number.
            paired: whether both members of the pair draw the same.
            patient: whether all images of a patient draw the same.
        """
        unit = self.patient_pair if patient else self.pair
        member = 0 if paired or self.kind is None else 1
        return np.random.default_rng([seed, SPLITS.index(self.split), purpose, unit, member])


def plan_cases(seed: int, counts: Mapping[str, tuple[int, int]], kinds: Sequence[str], most_images: int) -> list[Case]:
    """All cases in the order of their file names, which is shuffled within a split.

    Args:
        seed: a non-negative number that decides everything.
        counts: normals and abnormals of each split; one more at the end leaves the cases before it as they are.
        kinds: of lesions, taken in turn.
        most_images: of a patient, who has at least one.
    """
    rng = np.random.default_rng([seed])
    cases: list[Case] = []
    patients = 0
    for split, (normal, abnormal) in counts.items():
        owners = np.repeat(*_owners(rng, max(normal, abnormal), most_images))
        numbers = rng.permutation(2 * (int(owners.max()) + 1) if abnormal else int(owners.max()) + 1) + patients + 1
        turns = rng.permutation(np.arange(abnormal) % len(kinds))
        members: list[tuple[int, str | None]] = [(pair, None) for pair in range(normal)]
        members += [(pair, kinds[turns[pair]]) for pair in range(abnormal)]
        for place, member in enumerate(rng.permutation(len(members))):
            pair, kind = members[member]
            owner = int(owners[pair])
            patient = numbers[owner if kind is None else len(numbers) // 2 + owner]
            within = pair - int(np.flatnonzero(owners == owner)[0])
            name = f"{split}/{place + 1:04d}"
            cases.append(Case(split, pair, owner, f"{patient:04d}", within + 1, kind, name))
        patients += len(numbers)
    return cases


def _owners(rng: np.random.Generator, images: int, most_images: int) -> tuple[NDArray[np.int64], list[int]]:
    """Return the patients, and how many images each has."""
    sizes: list[int] = []
    while sum(sizes) < images:
        sizes.append(min(int(rng.integers(1, most_images + 1)), images - sum(sizes)))
    return np.arange(len(sizes)), sizes
