# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which numbers of which stages the heads look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai_anomaly.networks.blocks.density.stage_statistics import STATISTICS
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["IMAGE", "Part", "columns", "looked_at", "stage_places"]

IMAGE = "image"
"""What the backbone sees, as a stage before its own."""

Part = tuple[int, str, str]
"""The pass through the backbone, the stage, and the statistic of it."""


def looked_at(name: str, options: Mapping[str, Any], *, passes: int, known: Sequence[str]) -> list[Part]:
    """Return the parts of a head.

    Args:
        name: of the head, for messages.
        options: its ``stages``, None for all of the backbone's, and its ``statistics``, among others.
        passes: how many inputs the backbone sees.
        known: the backbone's stages.

    Raises:
        ConfigError: for a stage or statistic that is not known.
    """
    chosen: list[list[str]] = []
    for key, words in (("stages", known), ("statistics", tuple(STATISTICS))):
        found = options.get(key)
        if key == "stages" and found is None:
            found = [word for word in known if word != IMAGE]
        if not isinstance(found, Sequence) or isinstance(found, str) or not found or set(found) - set(words):
            raise ConfigError(f"{key} of {name} must be a list of names out of {', '.join(words)}; got {found!r}.")
        chosen.append([word for word in words if word in found])
    stages, statistics = chosen
    return [(i, stage, statistic) for i in range(passes) for stage in stages for statistic in statistics]


def columns(parts: Sequence[Part], wanted: Sequence[Part], sizes: Sequence[int]) -> list[int]:
    """Return the places of the wanted parts' numbers among those of all parts, which are so many each."""
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [
        start + i for part, start, size in zip(parts, starts, sizes, strict=True) if part in wanted for i in range(size)
    ]


def stage_places(key: str, asked: Sequence[str], known: Sequence[str]) -> list[int]:
    """Return the places of the stages of ``location`` among the backbone's, from shallow to deep.

    Raises:
        ConfigError: for a stage that is not known.
    """
    if isinstance(asked, str) or set(asked) - set(known):
        raise ConfigError(f"{key} of location must be a list of names out of {', '.join(known)}; got {asked!r}.")
    return [place for place, stage in enumerate(known) if stage in asked]
