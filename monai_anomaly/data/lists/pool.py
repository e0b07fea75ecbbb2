# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A pool of images that nobody has labeled: to learn from, and beside held-out normals."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.datalist import load_datalist, load_labeled_pool
from monai_anomaly.data.lists.entries import NO_LABEL
from monai_anomaly.data.lists.left_out import ItemList
from monai_anomaly.data.lists.patient_split import DEFAULT_SHARES
from monai_anomaly.data.lists.section import Section

__all__ = ["load_pool", "with_pool"]

logger = logging.getLogger(__name__)


def load_pool(
    dataset_dir: PathLike[str] | str,
    *,
    size: int | None = None,
    anomaly_ratio: float | None = None,
    seed: int = 0,
    split_seed: int = 0,
    split_shares: Sequence[float] = DEFAULT_SHARES,
    required: bool = False,
    source_names: bool = False,
    abnormal_folders: Sequence[str] | str = (),
    allow_outside: Sequence[PathLike[str] | str] | PathLike[str] | str | None = None,
) -> list[dict[str, Any]]:
    """Return images of a data set's pool, its section ``unlabeled``, all of them with the label -1.

    Labels, where the pool has any, are looked at for `anomaly_ratio` alone, and decide there which images are drawn:
    whoever gets the items is told none. The same seed gives with another size or ratio as many of the same images as
    that allows: normal and abnormal ones are the first of one permutation each.

    Args:
        dataset_dir: the data set's folder; see :func:`~monai_anomaly.data.lists.datalist.load_datalist`.
        size: number of images; None for all, with a ratio for as many as it allows.
        anomaly_ratio: share of abnormal images, in [0, 1], for experiments: ``round(size * anomaly_ratio)`` of them are
            drawn, and every image of the pool needs a label. None draws without looking.
        seed: draws the images.
        split_seed: the seed that holds patients out for validation, where the data set has no such section; images of
            theirs are not in the pool.
        split_shares: as in `load_datalist`.
        required: refuse a data set without a pool, which is a warning otherwise.
        source_names: name files as they are called.
        abnormal_folders: as in `load_datalist`.
        allow_outside: as in `load_datalist`.

    Returns:
        Items in the order of the data set, whatever was drawn.

    Raises:
        DataListError: whatever is wrong with the data set; for a size or a ratio that the pool does not have, with what
            it has.
        ValueError: for a size or a ratio that no pool has.
    """
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
        raise ValueError(f"size of the pool must be a whole number from 1 or None, got {size!r}.")
    if anomaly_ratio is not None and (not isinstance(anomaly_ratio, (int, float)) or not 0 <= anomaly_ratio <= 1):
        raise ValueError(f"anomaly_ratio must be a number from 0 to 1 or None, got {anomaly_ratio!r}.")
    options: dict[str, Any] = {
        "seed": split_seed,
        "split_shares": split_shares,
        "source_names": source_names,
        "abnormal_folders": abnormal_folders,
        "allow_outside": allow_outside,
    }
    if anomaly_ratio is None:
        items = load_datalist(dataset_dir, Section.UNLABELED, **options)
        chosen = _draw(len(items), size, seed) if items else []
    else:
        items, labels = load_labeled_pool(dataset_dir, **options)
        chosen = _draw_by_label(np.asarray(labels), size, anomaly_ratio, seed) if items else []
    if not items:
        _refuse_or_warn(required)
        return []
    logger.info("pool of %d images.", len(chosen))
    return ItemList((items[place] for place in sorted(chosen)), items.left_out)


def _refuse_or_warn(required: bool) -> None:
    """Say that there is no pool, as an error where one is needed."""
    if required:
        raise DataListError(
            'the data set has no pool; add an "unlabeled" section to dataset.json, rows with split unlabeled to '
            "labels.csv or a folder unlabeled."
        )
    logger.warning(
        "The data set has no pool of unlabeled images: training goes on with normals and pseudo-anomalies alone."
    )


def _draw(count: int, size: int | None, seed: int) -> list[int]:
    """Return the places of `size` of `count` images, all without a size."""
    if size is not None and size > count:
        raise DataListError(f"the pool has {count} images, so {size} cannot be drawn; lower its size or add images.")
    return np.random.default_rng(seed).permutation(count)[:size].tolist()


def _draw_by_label(labels: np.ndarray, size: int | None, ratio: float, seed: int) -> list[int]:
    """Return the places of `size` images with a given share of abnormal ones, as many as there are without a size."""
    available = [int((labels == label).sum()) for label in (0, 1)]
    largest = max(
        count for count in range(len(labels) + 1) if _is_enough(available, count, ratio)
    )  # none are always there
    wanted = largest if size is None else size
    if wanted < 1 or not _is_enough(available, wanted, ratio):
        raise DataListError(_explain_infeasible(available, wanted, ratio, largest))
    chosen: list[int] = []
    for label, count in enumerate(_counts(wanted, ratio)):
        places = np.flatnonzero(labels == label)
        chosen += np.random.default_rng([seed, label]).permutation(places)[:count].tolist()
    return chosen


def _counts(size: int, ratio: float) -> tuple[int, int]:
    """Return how many normal and abnormal images a draw has."""
    abnormal = round(size * ratio)
    return size - abnormal, abnormal


def _is_enough(available: Sequence[int], size: int, ratio: float) -> bool:
    """Return whether there are enough normal and abnormal images for a draw."""
    return all(need <= there for need, there in zip(_counts(size, ratio), available, strict=True))


def _explain_infeasible(available: Sequence[int], size: int, ratio: float, largest: int) -> str:
    """Say what can be drawn from a pool in place of what cannot."""
    normal, abnormal = available
    most = f"the largest size for this ratio is {largest}" if largest else "no size has this ratio"
    if size > normal + abnormal:
        ratios = f"no ratio has size {size}"
    elif size < 1:
        ratios = f"it is all {'normal' if normal else 'abnormal'}"
    else:
        lowest, highest = max(0, size - normal) / size, min(abnormal, size) / size
        ratios = f"size {size} has ratios from {lowest:.6g} to {highest:.6g}"
    wanted = f"{size} images" if size else "images"
    return (
        f"{wanted} with anomaly_ratio {ratio:g} cannot be drawn from the {normal + abnormal} of the pool: {ratios}, "
        f"and {most}; change one of the two or add images."
    )


def with_pool(
    validation: Sequence[Mapping[str, Any]],
    pool_dir: PathLike[str] | str | None,
    *,
    pool: Sequence[Mapping[str, Any]] | None = None,
    source_names: bool = False,
    allow_outside: Sequence[PathLike[str] | str] | PathLike[str] | str | None = None,
) -> list[dict[str, Any]]:
    """Return the normal images of a validation section, then the images of the pool with the label -1.

    No label but normal is looked at: abnormal validation images are left out, and what a list in the pool's folder says
    of its images is dropped.

    Args:
        validation: items of the validation section.
        pool_dir: folder of the pool: any files, or a data set with an ``inference`` section (else its test section).
        pool: without `pool_dir`, the items of the pool, such as those of :func:`load_pool`.
        source_names: name files as they are called.
        allow_outside: folders that a list in `pool_dir` may point to besides its own.

    Raises:
        DataListError: without a pool, or without a normal validation image.
    """
    if pool_dir is None and not pool:
        raise DataListError(
            "there is no pool to choose a checkpoint by; give --pool_dir, a folder of unlabeled images such as the "
            "site's next ones."
        )
    normals = [dict(item) for item in validation if item["label"] == 0]
    if not normals:
        raise DataListError("the validation section has no normal images, which the pool is compared with; add some.")
    if len(normals) < len(validation):
        logger.warning("%d abnormal validation images are left out: a pool is used.", len(validation) - len(normals))
    if pool_dir is not None:
        pool = load_datalist(pool_dir, Section.INFERENCE, source_names=source_names, allow_outside=allow_outside)
    unlabeled = [{**item, "label": NO_LABEL, "index": len(validation) + item["index"]} for item in pool or ()]
    return normals + unlabeled
