# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The pool check of a training: what simple statistics say of the pool and the normals, and where it is written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.utils.atomic import atomic_write

if TYPE_CHECKING:  # scikit-learn's import, which comes with it, takes longer than scoring an image
    from monai_anomaly.guard.pool_check import PoolCheck

__all__ = ["POOL_CHECK", "compare_pool", "write_pool_check"]

POOL_CHECK = "pool_check.json"


def compare_pool(normals: CachedDataset, pool: CachedDataset) -> PoolCheck:
    """Compare the images of a pool with the training normals; see :class:`~monai_anomaly.guard.pool_check.PoolCheck`.

    Args:
        normals: the training images.
        pool: the unlabeled images.
    """
    from monai_anomaly.guard.pool_check import check_pool_statistics

    return check_pool_statistics(normals.images, _facts(normals), pool.images, _facts(pool))


def _facts(data: CachedDataset) -> list[dict[str, Any]]:
    return [{**item, **origin} for item, origin in zip(data.items, data.origins, strict=True)]


def write_pool_check(check: PoolCheck | None, output_dir: str | os.PathLike[str]) -> None:
    """Write ``pool_check.json``, or remove that of an earlier training.

    Args:
        check: None where there was none.
        output_dir: where to.
    """
    path = Path(output_dir).expanduser() / POOL_CHECK
    if check is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps(check.state(), indent=2, allow_nan=False) + "\n")
