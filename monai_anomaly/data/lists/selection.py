# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The entries of the section that is asked for, from all that a data set lists."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.entries import Entry
from monai_anomaly.data.lists.section import Section
from monai_anomaly.data.lists.sections import EntriesBySection

__all__ = ["select_entries"]

HELD_OUT = 0.1
"""Share of the training groups that are validated with, where there is no such section."""

logger = logging.getLogger(__name__)


def select_entries(listed: EntriesBySection, section: Section, seed: int) -> list[Entry]:
    """Return the entries of a section; see :func:`~monai_anomaly.data.lists.datalist.load_datalist`.

    Args:
        listed: the data set.
        section: the section that is asked for.
        seed: decides which groups are held out for validation.

    Raises:
        DataListError: when there are none.
    """
    if section is Section.TRAINING:
        return _select_training(listed, seed)
    if section is Section.VALIDATION:
        return listed.validation or _hold_out(_require_normals(listed), section, seed)
    if section is Section.TEST:
        return _select_test(listed)
    if section is Section.INFERENCE:
        return _select_inference(listed)
    if section is Section.NORMALS:
        return _select_normals(listed)
    return _select_pool(listed, seed)


def _select_training(listed: EntriesBySection, seed: int) -> list[Entry]:
    normals = _require_normals(listed)
    return normals if listed.validation else _hold_out(normals, Section.TRAINING, seed)


def _require_normals(listed: EntriesBySection) -> list[Entry]:
    """Return the training images, of which there must be some."""
    if not listed.training_normals:
        raise DataListError(
            "the data set has no normal training images; put normal images into train/normal (without splits: "
            'normal), or list them with label 0 under "training" in dataset.json or with split train in labels.csv.'
        )
    return listed.training_normals


def _select_test(listed: EntriesBySection) -> list[Entry]:
    if not listed.test:
        raise DataListError(
            'the data set has no test images; add a "test" section to dataset.json, test rows to labels.csv or the '
            "folders test/normal and test/abnormal (without splits: normal and abnormal)."
        )
    return listed.test


def _select_inference(listed: EntriesBySection) -> list[Entry]:
    """Return what is to be scored, of which no mask is needed."""
    entries = listed.inference or listed.test
    if not entries:
        raise DataListError("the data list has nothing to be scored; add inference or test entries.")
    return [replace(entry, mask=None) for entry in entries]


def _select_normals(listed: EntriesBySection) -> list[Entry]:
    """Return the normal images of training and validation, of which no mask is needed."""
    both = [*listed.training, *listed.validation]
    normals = [replace(entry, mask=None) for entry in both if entry.label == 0]
    if not normals:
        raise DataListError(
            "the data set has no normal images in training or validation; list them there with label 0, put them into "
            "train/normal, or give a folder that holds nothing but normal images."
        )
    return normals


def _select_pool(listed: EntriesBySection, seed: int) -> list[Entry]:
    """Return the pool without the patients that are held out of training for validation."""
    pool = listed.unlabeled
    if listed.validation:
        return pool
    held_out = _draw_groups(listed.training_normals, seed)
    kept = [entry for entry in pool if entry.patient not in held_out]
    if len(kept) < len(pool):
        logger.warning(
            "%d of %d images of the pool are left out: their patients are held out for validation.",
            len(pool) - len(kept),
            len(pool),
        )
    return kept


def _draw_groups(normals: list[Entry], seed: int) -> Collection[str]:
    """Return the groups of the training normals that are held out for validation; none of a single one."""
    groups = list(dict.fromkeys(entry.patient for entry in normals))  # in the list's order, whatever they are called
    if len(groups) < 2:
        return ()
    count = max(1, round(HELD_OUT * len(groups)))
    return {groups[i] for i in np.random.default_rng(seed).permutation(len(groups))[:count]}


def _hold_out(normals: list[Entry], section: Section, seed: int) -> list[Entry]:
    """Split the training normals by group; return the part for training or validation."""
    held_out = _draw_groups(normals, seed)
    if not held_out:
        if section is Section.TRAINING:
            return normals
        raise DataListError(
            "the data set has no validation images and its training images form one group, so none can be held out; "
            "add a validation section or more groups."
        )
    part = [entry for entry in normals if (entry.patient in held_out) == (section is Section.VALIDATION)]
    logger.warning(
        "No validation section: %d of %d training groups are held out for it (seed %d); %s has %d images.",
        len(held_out),
        len({entry.patient for entry in normals}),
        seed,
        section,
        len(part),
    )
    return part
