# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What an archive costs, by what one worker did in a second and left on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Prices", "cost_table", "sizes"]

PUTS_OF_A_SHARD = 4
"""Its maps, its records, and twice its journal, which is also read and removed."""


@dataclass(frozen=True)
class Prices:
    """In any currency.

    Args:
        core_hour: of a core.
        gib_month: of storage.
        puts: of a thousand requests that write, list or remove.
        gets: of a thousand requests that read.
    """

    core_hour: float = 0.04
    gib_month: float = 0.023
    puts: float = 0.005
    gets: float = 0.0004


def sizes(out: Path, n_files: int) -> tuple[float, float]:
    """Return the bytes of records and of maps that a file leaves."""
    parts = ("records", "maps")
    records, maps = (sum(path.stat().st_size for path in (out / part).glob("*")) for part in parts)
    return records / n_files, maps / n_files


def cost_table(rate: float, left: tuple[float, float], *, studies: int, shard_size: int, prices: Prices) -> str:
    """Return what studies cost, for several numbers of files in a study.

    Args:
        rate: files a second of one core.
        left: of :func:`sizes`.
        studies: how many.
        shard_size: files of a shard.
        prices: of what is needed.
    """
    rows = ["files each | core hours |     cost | days, 100 cores | records GiB | maps GiB | GiB a month | requests"]
    for files_each in (1, 4, 40):
        files = studies * files_each
        hours = files / rate / 3600
        records, maps = (files * size / 2**30 for size in left)
        puts = files / shard_size * PUTS_OF_A_SHARD * prices.puts / 1000 + files * 2 * prices.gets / 1000
        rows.append(
            f"{files_each:>10} | {hours:>10,.0f} | {hours * prices.core_hour:>8,.0f} | {hours / 2400:>15.1f} | "
            f"{records:>11,.1f} | {maps:>8,.0f} | {(records + maps) * prices.gib_month:>11,.0f} | {puts:>8,.0f}"
        )
    return "\n".join(rows)
