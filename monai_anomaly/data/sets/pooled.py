# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Normal images, and images of a pool behind them."""

from __future__ import annotations

from typing import Any

from torch.utils.data import Dataset

from monai_anomaly.data.lists.entries import NO_LABEL
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.data.sets.paired import check_shapes

__all__ = ["PooledDataset"]


class PooledDataset(Dataset[dict[str, Any]]):
    """Items of the normals, then those of the pool: the image, its ``row`` here and a ``label``, nothing else.

    The label is 0 for a training normal and -1 for an image of the pool, whatever is known of it. PyTorch's
    ``ConcatDataset`` hands on whole items, whose facts differ from file to file, and the pool's and the normals' rows
    would be the same numbers.

    Args:
        normals: the training normals.
        pool: the pool, if there is one; images of the same shape ``(C, H, W)``.

    Raises:
        ValueError: for images of two shapes.
    """

    def __init__(self, normals: CachedDataset, pool: CachedDataset | None = None) -> None:
        self.normals = normals
        self.pool = pool if pool is not None and len(pool) else None
        self.sizes = (len(normals), len(self.pool) if self.pool is not None else 0)
        check_shapes(normals, self.pool)

    def __len__(self) -> int:
        return sum(self.sizes)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return one item; its image is a copy."""
        if self.pool is None or index < len(self.normals):
            return {"image": self.normals.images[index], "row": index, "label": 0}
        return {"image": self.pool.images[index - len(self.normals)], "row": index, "label": NO_LABEL}
