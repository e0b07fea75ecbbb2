# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a report says about the run that it is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.data.lists.entries import NO_LABEL
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.data.sets.duplicates import warn_of_shared_images
from monai_anomaly.utils.environment import package_versions

__all__ = ["run_details", "summarize_data"]

_PACKAGES = ("monai_anomaly", "monai", "torch", "torchvision", "pytorch-ignite", "pydicom")


def run_details(trained: TrainedDetector, items: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return versions, settings and the weights' identity, for a report.

    Args:
        trained: the detector that the report is of.
        items: the images, of which an :class:`~monai_anomaly.data.lists.left_out.ItemList` knows what is left out.

    Returns:
        names and values to show.
    """
    spec = trained.spec
    left_out = [f"{count} {why}" for why, count in getattr(items, "left_out", {}).items()]
    return {
        **({"left out of the images": "; ".join(left_out)} if left_out else {}),
        "weights": f"sha256 {trained.model_hash[:16]}" if trained.is_trained else "none",
        **trained.description,
        "checkpoint rule": "the last iteration; no label was looked at",
        **trained.data,  # may know of another rule
        "training seed": spec.get("training", {}).get("seed"),
        **{f"network {k}": v for k, v in spec["network"].items()},
        **{f"preprocessing {k}": v for k, v in spec["preprocessing"].items()},
        **{k.replace("_", " "): v for k, v in spec.get("data", {}).items() if v != []},  # no folders were named
        **package_versions(_PACKAGES),
    }


def summarize_data(
    training: CachedDataset, validation: CachedDataset, pool: CachedDataset | None = None
) -> dict[str, int]:
    """Return what a report must say of the training's data; see :class:`monai_anomaly.data.sets.cached.CachedDataset`.

    Args:
        training: the training images.
        validation: the validation images.
        pool: the unlabeled images that were trained on, if any.

    Returns:
        counts by name.
    """
    n_pool = sum(item.get("label") == NO_LABEL for item in validation.items)
    chosen_by = {"unlabeled images of the pool": n_pool} if n_pool else {}
    trained_on = {}
    if pool is not None:
        trained_on = {"unlabeled training images": len(pool), "unlabeled files quarantined": len(pool.quarantined)}
        if not n_pool:  # else the pool is in the validation section on purpose
            trained_on["validation images that are in the pool"] = len(warn_of_shared_images(pool, validation))
    return chosen_by | {
        "training images": len(training),
        **trained_on,
        "training files quarantined": len(training.quarantined),
        "validation images": len(validation) - n_pool,
        "validation files quarantined": len(validation.quarantined),
        "identical training images": sum(len(group) - 1 for group in training.duplicates),
        "validation images that are in training": len(warn_of_shared_images(training, validation)),
    }
