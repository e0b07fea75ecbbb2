# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""What the input guard says of the frames of an evaluator's batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch

from monai_anomaly.data.lists.frame_items import FRAMES_OF_STUDY
from monai_anomaly.data.picture_facts import PICTURE_FACTS

__all__ = ["Guard", "check_frames"]


class Guard(Protocol):
    """Says whether the method applies to images; :class:`monai_anomaly.guard.input_guard.InputGuard` does."""

    def check_all(self, images: torch.Tensor, facts: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return of each image an empty text, or one sentence why the method does not apply."""


def check_frames(guard: Guard | None, items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return why the method does not apply to each frame; empty where it does, or the frame was not read.

    Args:
        guard: None refuses nothing.
        items: of :func:`monai_anomaly.handlers.scoring.items.evaluated_items`.
    """
    refusals = [""] * len(items)
    read = [index for index, item in enumerate(items) if item.get("status", "ok") == "ok"]
    if guard is None or not read:
        return refusals
    images = torch.stack([torch.as_tensor(items[i]["image"]).detach().float().cpu() for i in read])
    facts = [{key: float(items[i][key]) for key in PICTURE_FACTS if key in items[i]} for i in read]
    for index, refusal in zip(read, guard.check_all(images, facts), strict=True):
        several = refusal and int(items[index].get(FRAMES_OF_STUDY, 1)) > 1
        refusals[index] = f"Frame {int(items[index].get('frame', -1))}: {refusal}" if several else refusal
    return refusals
