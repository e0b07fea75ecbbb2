# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What metrics take from the output of an evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

__all__ = ["score_and_label"]


def score_and_label(output: Sequence[dict[str, Any]]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return the pairs that MONAI's metric handlers expect, from the decollated output of an evaluator."""
    scores = [torch.as_tensor(item["score"], dtype=torch.float64).reshape(()) for item in output]
    labels = [torch.as_tensor(item["label"], dtype=torch.float64).reshape(()) for item in output]
    return scores, labels
