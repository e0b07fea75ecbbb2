# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What several processes collected of the images of one pass."""

from __future__ import annotations

import ignite.distributed as idist
import torch
from torch import Tensor

__all__ = ["gathered"]


def gathered(collected: list[tuple[Tensor, Tensor]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return rows ``(N,)``, in order and each once, and values ``(N, ...)`` of all processes, and empty the list.

    Args:
        collected: rows and values of each batch.
        device: over which the processes talk.
    """
    rows, values = (torch.cat(parts) for parts in zip(*collected, strict=True))
    collected.clear()
    if idist.get_world_size() > 1:
        rows, values = (idist.all_gather(each.to(device)).cpu() for each in (rows, values))  # type: ignore[union-attr]
    order = torch.argsort(rows, stable=True)
    rows, values = rows[order], values[order]
    first = torch.ones_like(rows, dtype=torch.bool)  # the last process may go on with the first images
    first[1:] = rows[1:] != rows[:-1]
    return rows[first], values[first]
