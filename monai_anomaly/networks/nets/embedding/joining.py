# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How the standardized scores of several heads become one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Joining", "joining_rule"]


class Joining(nn.Module):
    """The largest of several weighted sums of the heads' standardized scores.

    So a plain maximum, a sum, and one head alone are the same arithmetic, with numbers from the state dict, and the
    score is linear in the heads at every image.

    Args:
        heads: R, number of scores; there are as many sums, some of them equal where fewer are needed.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.register_buffer("sums", torch.eye(heads))
        self.sums: Tensor

    def forward(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Standardized scores ``(B, R)`` to the joined one ``(B,)`` and the weights of its sum ``(B, R)``."""
        joined, best = (scores @ self.sums.T).max(dim=1)
        return joined, self.sums[best]


def joining_rule(pool: bool) -> Tensor:
    """Return the sums ``(3, 3)`` over Mahalanobis distance, cosine distance and contrast.

    Args:
        pool: whether there was one; without it the contrast says nothing and the larger distance is the score.
    """
    if pool:
        return torch.tensor([[0.0, 1.0, 1.0]]).expand(3, 3).clone()
    return torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
