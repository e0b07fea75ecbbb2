# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a report says about the run that it is of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from torch import nn

from monai_anomaly.data.lists.entries import NO_LABEL
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.data.sets.duplicates import warn_of_shared_images
from monai_anomaly.handlers.training.training_checkpoint import load_checkpoint
from monai_anomaly.utils.environment import package_versions

__all__ = ["file_hash", "run_details", "summarize_data"]

_PACKAGES = ("monai_anomaly", "monai", "torch", "torchvision", "pytorch-ignite", "pydicom")


def run_details(network: nn.Module, spec: Mapping[str, Any], checkpoint: str | os.PathLike[str]) -> dict[str, Any]:
    """Versions, settings and the weights' identity, for a report.

    Args:
        network: the detector.
        spec: how it and its preprocessing are made.
        checkpoint: the file its weights are loaded from.

    Returns:
        names and values to show.
    """
    details: dict[str, Any] = {
        **_identity(checkpoint),
        "checkpoint rule": "the last iteration; no label was looked at",
        **_data(checkpoint),  # may know of another rule
        "training seed": spec.get("training", {}).get("seed"),
        **{f"network {k}": v for k, v in spec["network"].items()},
        **{f"preprocessing {k}": v for k, v in spec["preprocessing"].items()},
        **{k.replace("_", " "): v for k, v in spec.get("data", {}).items()},
        **package_versions(_PACKAGES),
    }
    return {**details, "parameters": sum(p.numel() for p in network.parameters())}


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


def _data(checkpoint: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what :func:`summarize_data` said when the detector was trained."""
    return dict(load_checkpoint(checkpoint).get("data", {})) if os.path.isfile(checkpoint) else {}


def _identity(checkpoint: str | os.PathLike[str]) -> dict[str, str]:
    """Return the weights' hash, and where the perceptual features in them come from."""
    if not os.path.isfile(checkpoint):
        return {"weights": "none"}
    identity = {"weights": f"sha256 {file_hash(checkpoint)[:16]}"}
    origin = load_checkpoint(checkpoint)["model"].get("features.origin_bytes")
    if origin is not None:
        identity["features"] = bytes(origin.tolist()).rstrip(b"\0").decode("utf-8", errors="replace")
    return identity


def file_hash(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _by_parts(file)


def _by_parts(file: Any) -> str:  # Python 3.10
    digest = hashlib.sha256()
    for part in iter(lambda: file.read(2**20), b""):
        digest.update(part)
    return digest.hexdigest()
