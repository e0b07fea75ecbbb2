# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What several processes collected of the images of one pass."""

from __future__ import annotations

import ignite.distributed as idist
import torch
from torch import Tensor

__all__ = ["RowTable"]

BLOCK = 4096
"""Rows that are copied, or sent to the other processes, at a time."""


class RowTable:
    """Values of the images of a pass, each at the place of its row: there is one copy of them at any time.

    The memory is asked for as a whole, and taken as it is filled. A process fills the rows of its own images, and gets
    the others' when all are gathered.

    Args:
        count: number of images; rows are below it.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._values: Tensor | None = None
        self._rows: list[Tensor] = []

    def add(self, rows: Tensor, values: Tensor) -> None:
        """Keep values ``(B, ...)`` of the images with these rows ``(B,)``; an image that is there already stays."""
        rows, values = rows.cpu(), values.cpu()
        if self._values is None:
            self._values = values.new_empty((self.count, *values.shape[1:]))
            self._known = torch.zeros(self.count, dtype=torch.bool)
        self._rows.append(rows)
        _put(rows, values, self._values, self._known)

    def gathered(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return rows ``(N,)``, in order and each once, and values ``(N, ...)`` of all processes, and keep none.

        Args:
            device: over which the processes talk.

        Raises:
            RuntimeError: when nothing was added.
        """
        if self._values is None:
            raise RuntimeError("no image of the pass was collected; add batches first.")
        values, known, own = self._values, self._known, torch.cat(self._rows)
        self._values, self._rows = None, []
        if idist.get_world_size() > 1:
            known = _from_all_processes(own, values, device)
        rows = known.nonzero()[:, 0]
        if len(rows) < self.count:  # a pass that was cut short: the rows move up, within the same memory
            for i in range(0, len(rows), BLOCK):
                part = rows[i : i + BLOCK]
                values[i : i + len(part)] = values[part]
        return rows, values[: len(rows)]


def _put(rows: Tensor, found: Tensor, values: Tensor, known: Tensor) -> None:
    """Write what was found of the rows that are not known yet, and note them."""
    new = ~known[rows]
    values[rows[new]] = found[new]
    known[rows] = True


def _from_all_processes(own: Tensor, values: Tensor, device: torch.device) -> Tensor:
    """Fill in the values of all processes, the same ones in each of them, and return which rows are known.

    Args:
        own: rows of this process, as they came; as many in each.
        values: of all rows; filled where this process has been.
        device: over which the processes talk.
    """
    known = torch.zeros(len(values), dtype=torch.bool)
    for part in own.split(BLOCK):
        rows, found = (idist.all_gather(each.to(device)).cpu() for each in (part, values[part]))  # type: ignore[union-attr]
        for i in range(0, len(rows), len(part)):  # the last process may go on with the first images
            _put(rows[i : i + len(part)], found[i : i + len(part)], values, known)
    return known
