# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import logging

import pytest

from monai_anomaly.data.lists.entries import Entry
from monai_anomaly.data.lists.patient_split import split_patients

SHARES = (0.6, 0.1, 0.3)


def make(healthy: int, ill: int, images: int = 2) -> list[Entry]:
    """Patients h0.. with normal images and i0.. with one normal and one abnormal image each."""
    patients = [f"h{n}" for n in range(healthy)] + [f"i{n}" for n in range(ill)]
    return [
        Entry(name=f"{patient}/{k}", where="", label=int(patient[0] == "i" and k == 0), group=patient)
        for patient in patients
        for k in range(images)
    ]


def split(entries, **options) -> list[list[Entry]]:
    """The entries of training, validation and test."""
    listed = split_patients(entries, **options)
    assert not listed.inference and not listed.unlabeled
    return [listed.training, listed.validation, listed.test]


def patients(entries, kind: str = "") -> set[str]:
    return {entry.patient for entry in entries if entry.patient.startswith(kind)}


@pytest.mark.parametrize(
    ("healthy", "ill", "normal", "abnormal"),
    [
        (100, 40, [60, 10, 30], [0, 10, 30]),
        (10, 4, [6, 1, 3], [0, 1, 3]),
        (3, 2, [1, 1, 1], [0, 1, 1]),
        (2, 1, [1, 0, 1], [0, 0, 1]),
        (1, 0, [1, 0, 0], [0, 0, 0]),
        (0, 3, [0, 0, 0], [0, 1, 2]),
        (7, 7, [4, 1, 2], [0, 2, 5]),
    ],
)
def test_shares_are_kept_for_each_kind(healthy, ill, normal, abnormal):
    parts = split(make(healthy, ill), seed=0, shares=SHARES)
    assert [len(patients(part, "h")) for part in parts] == normal
    assert [len(patients(part, "i")) for part in parts] == abnormal


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("healthy", "ill"), [(1, 1), (5, 1), (9, 13), (33, 2)])
def test_whole_patients_each_once_and_no_ill_one_in_training(healthy, ill, seed):
    entries = make(healthy, ill)
    parts = split(entries, seed=seed, shares=SHARES)
    assert sorted(e.name for part in parts for e in part) == sorted(e.name for e in entries)
    sets = [patients(part) for part in parts]
    assert sum(map(len, sets)) == len(set.union(*sets))
    assert not patients(parts[0], "i")


def test_validation_may_be_left_out():
    parts = split(make(10, 5), seed=0, shares=(0.5, 0.0, 0.5))
    assert [len(patients(part)) for part in parts] == [5, 0, 10]


def test_the_seed_decides_and_what_patients_are_called_does_not():
    def named(seed, rename=lambda name: name):
        entries = [Entry(name=e.name, where="", label=e.label, group=rename(e.patient)) for e in make(20, 8)]
        return [[e.name for e in part] for part in split(entries, seed=seed, shares=SHARES)]

    assert named(1) == named(1) != named(2)
    assert named(1) == named(1, lambda name: str(hash((name, "another key"))))


def test_counts_are_said(caplog):
    with caplog.at_level(logging.WARNING):
        split_patients(make(10, 4), seed=3, shares=SHARES)
    counts = "training 6 patients (0 with abnormal images), 12 images; validation 2 patients (1 with"
    assert f"by seed 3 into shares of 0.6, 0.1, 0.3: {counts}" in caplog.text
