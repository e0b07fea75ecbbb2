# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.bundle.details import summarize_data
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.lists.entries import NO_LABEL
from monai_anomaly.data.sets.cached import CachedDataset

BROKEN = -100  # in the place of a value


def make(values, label=0):
    """A cached data set of one constant image for each value."""

    def load(item):
        if item["value"] == BROKEN:
            raise ImageReadError("truncated", "the file is cut short")
        return {**item, "image": torch.full((1, 8, 8), float(item["value"]))}

    labels = label if isinstance(label, list) else [label] * len(values)
    items = [{"name": f"{n}", "value": v, "label": one} for n, (v, one) in enumerate(zip(values, labels, strict=True))]
    return CachedDataset(items, load, progress=False, on_bad="quarantine", max_bad_share=0.9)


@pytest.fixture
def training():
    return make([1, 2, 3, 3, 3, 2, BROKEN])


@pytest.fixture
def validation():
    return make([3, 4, 5, 2, BROKEN, BROKEN])


PLAIN = {
    "training images": 6,
    "training files quarantined": 1,
    "validation images": 4,
    "validation files quarantined": 2,
    "identical training images": 3,
    "validation images that are in training": 2,
}


def test_counts_of_training_and_validation(training, validation):
    assert summarize_data(training, validation) == PLAIN
    assert summarize_data(training, validation, None) == PLAIN


def test_a_pool_that_was_trained_on_is_counted_and_changes_no_other_count(training, validation):
    pool = make([1, 2, 6, 7, 7, BROKEN, BROKEN, BROKEN], NO_LABEL)
    found = summarize_data(training, validation, pool)
    shared = {"validation images that are in the pool": 1}
    assert found == {**PLAIN, "unlabeled training images": 5, "unlabeled files quarantined": 3, **shared}
    assert list(found)[:2] == ["training images", "unlabeled training images"]


def test_a_pool_that_chose_the_checkpoint_is_not_counted_as_validation(training):
    mixed = make([3, 4, 5, 6, 7], [0, 0, NO_LABEL, NO_LABEL, NO_LABEL])
    pool = make([8, 9], NO_LABEL)
    found = summarize_data(training, mixed, pool)
    assert found["unlabeled images of the pool"] == 3
    assert found["validation images"] == 2
    assert found["unlabeled training images"] == 2
    assert "unlabeled images of the pool" not in summarize_data(training, make([4]), pool)
