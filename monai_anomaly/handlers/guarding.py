# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""What the input guard says of one frame of an evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch

from monai_anomaly.data.frame_items import FRAMES_OF_STUDY
from monai_anomaly.data.picture_facts import PICTURE_FACTS

__all__ = ["Guard", "check_frame"]


class Guard(Protocol):
    """Says whether the method applies to an image; :class:`monai_anomaly.calibration.input_guard.InputGuard` does."""

    def check(self, image: torch.Tensor, facts: Mapping[str, Any]) -> str:
        """Returns an empty text, or one sentence why the method does not apply."""


def check_frame(guard: Guard | None, item: Mapping[str, Any]) -> str:
    """Returns why the method does not apply to a frame; empty where it does, or the frame was not read.

    Args:
        guard: None refuses nothing.
        item: one of :func:`monai_anomaly.handlers.items.evaluated_items`.
    """
    if guard is None or item.get("status", "ok") != "ok":
        return ""
    facts = {key: float(item[key]) for key in PICTURE_FACTS if key in item}
    refusal = guard.check(torch.as_tensor(item["image"]).detach().float().cpu(), facts)
    several = refusal and int(item.get(FRAMES_OF_STUDY, 1)) > 1
    return f"Frame {int(item.get('frame', -1))}: {refusal}" if several else refusal
