# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a pool curve is made of: a bundle, a split of a data set, and a pool of some size and share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from monai_anomaly.apps.benchmark.cell import Cell, DataSet
from monai_anomaly.apps.benchmark.variants import Variant
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["NO_POOL", "Draw", "PoolCell", "pool_cells"]


@dataclass(frozen=True)
class Draw:
    """A pool to be drawn.

    Args:
        size: number of images; None for as many as the share allows.
        share: of abnormal images; None for the pool as it comes.
        used: False for no pool, the one-class line.
    """

    size: int | None = None
    share: float | None = None
    used: bool = True

    @property
    def overrides(self) -> tuple[tuple[str, str], ...]:
        """The bundle's keys, as typed."""
        if not self.used:
            return (("use_pool", "False"),)
        values = {"pool_size": self.size, "anomaly_ratio": self.share}
        return tuple((key, str(value)) for key, value in values.items() if value is not None)

    @property
    def size_text(self) -> str:
        """For tables."""
        return "" if not self.used else "all" if self.size is None else str(self.size)

    @property
    def share_text(self) -> str:
        """For tables."""
        return "no pool" if not self.used else "as it comes" if self.share is None else f"{self.share:g}"


NO_POOL = Draw(used=False)


@dataclass(frozen=True)
class PoolCell(Cell):
    """What is trained and evaluated once.

    Args:
        data: the split, under the name of the data set.
        variant: the bundle with the pool's keys.
        seed: of the training, and number of the split.
        max_minutes: wall-clock budget of the training.
        method: the bundle as the user called it.
        draw: the pool.
    """

    method: str
    draw: Draw

    @property
    def title(self) -> str:
        """For the person who waits."""
        size = f" of {self.draw.size_text}" if self.draw.used else ""
        return f"{self.data.name}: {self.method}, split {self.seed}, {self.draw.share_text}{size}"

    def empty_row(self) -> dict[str, Any]:
        """Return what is known of a cell before it ran."""
        known = {"method": self.method, "split": self.seed, "size": self.draw.size_text, "share": self.draw.share_text}
        return super().empty_row() | known | {"n_pool": None, "n_pool_abnormal": None}


def pool_cells(
    variants: Sequence[Variant],
    splits: Sequence[Sequence[DataSet]],
    sizes: Sequence[int | None],
    shares: Sequence[float | None],
    max_minutes: float,
) -> Iterator[PoolCell]:
    """Yield all cells, split by split, so that an interrupted curve has something of everything.

    Args:
        variants: bundles that can learn from a pool.
        splits: for each split's number, that split of every data set.
        sizes: of pools; None for all.
        shares: of abnormal images; None for the pool as it comes.
        max_minutes: budget of each training.

    Raises:
        ConfigError: for a bundle that learns from no pool, or that is given keys that the curve sets.
    """
    for variant in variants:
        _check(variant)
    draws = [NO_POOL, *(Draw(size, share) for size in sizes for share in shares)]
    for number, data_sets in enumerate(splits):
        for data in data_sets:
            for variant in variants:
                for draw in draws:
                    words = [f"{key}={value}" for key, value in draw.overrides]
                    named = replace(
                        variant,
                        name=" ".join([variant.name, *words]),
                        overrides=(*variant.overrides, *draw.overrides),
                    )
                    yield PoolCell(data, named, number, max_minutes, variant.name, draw)


def _check(variant: Variant) -> None:
    config = variant.config("train")
    for key in ("use_pool", "pool_size", "anomaly_ratio"):
        if key not in config:
            raise ConfigError(f"--bundles: '{variant.name}' learns from no pool: its train.json has no key '{key}'.")
        if any(key == name for name, _ in variant.overrides):
            raise ConfigError(f"--bundles: '{key}' is what the curve sets; leave it out of '{variant.name}'.")
