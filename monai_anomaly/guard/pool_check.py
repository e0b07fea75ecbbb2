# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a pool differs from the normals in more than disease: simple statistics of both, before any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from monai_anomaly.guard.pool_statistics import (
    NO_DISEASE,
    image_statistics,
    origin_statistics,
    picture_statistics,
    year_statistics,
)
from monai_anomaly.metrics.separation import TOGETHER, Separation, Separations, separate
from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["STRONG", "PoolCheck", "check_pool_statistics"]

STRONG = 0.75
"""The AUC from which on it is a warning: disease alone has it only where half of the pool or more is abnormal."""
MIN_PATIENTS = 10
MOST_IMAGES = 1500
NAMED = 3


@dataclass(frozen=True)
class PoolCheck:
    """What simple statistics say of a pool and the normals beside it.

    A statistic that separates the two is no proof of a fault: disease changes some, too. But disease is in a part of
    the pool only, and the pool's other images are like the normals where both come from the same machines: with a share
    s of abnormal images no AUC can be above ``(1 + s) / 2``. Turned around, an AUC says the least share.

    Args:
        n_normal: images that were compared, of the normals.
        n_pool: of the pool.
        n_patients: of both.
        found: the comparison; None where there were too few patients.
        unknown: what is not known of any image, such as the device.
        reason: why there is no comparison.
    """

    n_normal: int
    n_pool: int
    n_patients: int
    found: Separations | None
    unknown: tuple[str, ...] = ()
    reason: str = ""

    @property
    def real(self) -> list[Separation]:
        """Single statistics that separate more than the largest of all does by chance, largest first."""
        return [] if self.found is None else [one for one in self.found.single if self.found.is_real(one)]

    @property
    def is_strong(self) -> bool:
        """Whether something separates pool and normals so much that it is a warning."""
        return self.found is not None and any(one.auroc >= STRONG for one in [*self.real, *self._real_model])

    @property
    def _real_model(self) -> list[Separation]:
        """The model of all statistics, where it separates more than by chance."""
        return [self.found.together] if self.found is not None and self.found.is_real(self.found.together) else []

    @property
    def warning(self) -> str:
        """What separates pool and normals much, and what that means; empty where nothing does."""
        return " ".join(self._findings()) if self.is_strong else ""

    @property
    def sentences(self) -> list[str]:
        """What was found, for the person who trains."""
        found = self.found
        if found is None:
            return [f"Pool and normals were not compared: {self.reason}."]
        chance = f"By chance the largest of {len(found.single) + 1} reaches {found.by_chance:.2f} in 1 of 20 pools"
        told = [*self._findings(), f"{chance}; the AUC of all together is {_measure(found.together)}."]
        if self.unknown:
            told.append(f"Not known of any image, so not compared: {', '.join(self.unknown)}.")
        return told

    def _findings(self) -> list[str]:
        """Say what separates most, and what that means."""
        if self.found is None:
            return []
        strong = [one for one in self.real if one.auroc >= STRONG]
        if strong:
            return [f"{_separates(strong[0])}{_also(strong[1:])}.", _meaning(strong[0])]
        model = self._real_model
        if self.is_strong:
            alone = f", the largest alone with {_brief(self.real[0])}" if self.real else ", and none alone"
            return [f"{_separates(model[0])}{alone}.", _meaning(model[0])]
        for best in [*self.real, *model][:1]:
            return [f"{_separates(best)}, which is little and more than chance.", _meaning(best)]
        largest = _brief(self.found.single[0])
        return [f"No statistic separates pool and normals by more than chance (largest: {largest})."]

    @property
    def short(self) -> dict[str, str]:
        """What is kept beside the weights: ``pool warning`` where there is one, else ``pool check``."""
        return {"pool warning": self.warning} if self.warning else {"pool check": " ".join(self.sentences)}

    def state(self) -> dict[str, Any]:
        """Return all of it as plain values, for JSON."""
        found = self.found
        return {
            "n_normal": self.n_normal,
            "n_pool": self.n_pool,
            "n_patients": self.n_patients,
            "warning": self.warning,
            "sentences": self.sentences,
            "by_chance": None if found is None else found.by_chance,
            "statistics": [] if found is None else [asdict(one) for one in found.single],
            "all_together": None if found is None else asdict(found.together),
            "unknown": list(self.unknown),
        }


def check_pool_statistics(
    normals: ImageSequence,
    normal_items: Sequence[Mapping[str, Any]],
    pool: ImageSequence,
    pool_items: Sequence[Mapping[str, Any]],
    *,
    seed: int = 0,
) -> PoolCheck:
    """Compare a pool with the normals; no label is looked at, and the same images give the same result.

    Of more than 1,500 images of a set as many are taken, evenly spaced.

    Args:
        normals: training normals as the network gets them, ``(N, C, H, W)``.
        normal_items: of each its :mod:`~monai_anomaly.data.picture_facts` and ``group``, as far as they are known.
        pool: unlabeled images, ``(M, C, H, W)``.
        pool_items: of each the same.
        seed: draws permutations and resamples.
    """
    kept = [np.linspace(0, len(part) - 1, min(len(part), MOST_IMAGES)).round().astype(int) for part in (normals, pool)]
    items = [normal_items[i] for i in kept[0]] + [pool_items[i] for i in kept[1]]
    in_pool = np.arange(len(items)) >= len(kept[0])
    groups = [str(item.get("group") or f"image {number}") for number, item in enumerate(items)]
    patients = [len({group for group, late in zip(groups, in_pool, strict=True) if late == part}) for part in (0, 1)]
    counts = (len(kept[0]), len(kept[1]), len(set(groups)))
    if min(patients) < MIN_PATIENTS:
        few = f"there are {patients[0]} patients of normals and {patients[1]} of the pool, and it takes {MIN_PATIENTS}"
        return PoolCheck(*counts, None, reason=few)
    seen = [image_statistics(part[index]) for part, index in zip((normals, pool), kept, strict=True)]
    numbers = {name: np.concatenate([part[name] for part in seen]) for name in seen[0]}
    years = year_statistics(items)
    categories, unknown = origin_statistics(items)
    found = separate(numbers | picture_statistics(items) | years, categories, in_pool, groups, seed=seed)
    return PoolCheck(*counts, found, tuple(unknown + ([] if years else ["year"])))


def _separates(one: Separation) -> str:
    """Say how well a statistic separates the two."""
    who = "All statistics together separate" if one.name == TOGETHER else f"The {one.name} alone separates"
    direction = "" if one.higher is None else f", {'higher' if one.higher else 'lower'} in the pool"
    between = f"95 % {one.interval[0]:.2f} to {one.interval[1]:.2f}" if one.interval else "no interval"
    return f"{who} pool and normals with an AUC of {one.auroc:.2f} ({between}{direction})"


def _also(others: Sequence[Separation]) -> str:
    """Name the next ones, and count the rest."""
    if not others:
        return ""
    named = ", ".join(map(_brief, others[: NAMED - 1]))
    more = len(others) - (NAMED - 1)
    return f", and so do {named}{f' and {more} more' if more > 0 else ''}"


def _meaning(one: Separation) -> str:
    """Say what disease it would take, from the interval's lower end."""
    if one.name in NO_DISEASE:
        return "No disease changes that: the detector may find machines, or who was sent to which of them."
    low = one.interval[0] if one.interval else one.auroc
    least = 100 * max(0.0, 2 * low - 1)
    return (
        f"Disease alone does that only where at least {least:.0f} % of the pool are abnormal; if it is the machine and "
        "not the disease, the detector will find machines."
    )


def _measure(one: Separation) -> str:
    between = f" ({one.interval[0]:.2f} to {one.interval[1]:.2f})" if one.interval else ""
    return f"{one.auroc:.2f}{between}"


def _brief(one: Separation) -> str:
    return f"{one.name} {one.auroc:.2f}"
