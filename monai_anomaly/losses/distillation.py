# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

__all__ = ["DistillationLoss"]


class DistillationLoss(_Loss):
    """Sum over the decoder's levels of the mean squared difference of student and teacher.

    torch has the difference of two tensors; this is its sum over lists, with the levels checked.

    Source: SimSID (Xiang et al., TPAMI 2024, https://arxiv.org/abs/2403.08689); S. R., "Unsupervised Anomaly Detection
    using SimSID algorithm", Anna University, 2025, Equation 5.5, with the mean of Algorithm 4.10 in place of the sum.
    """

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        """Compare the outputs of the levels, pairwise of one shape: a scalar, float32.

        Raises:
            ValueError: when the numbers of levels or their shapes differ.
        """
        shapes = [[tuple(level.shape) for level in levels] for levels in (student, teacher)]
        if not student or shapes[0] != shapes[1]:
            raise ValueError(
                f"student and teacher must give the same levels, got shapes {shapes[0]} and {shapes[1]}; make the "
                "teacher with the student's settings."
            )
        return torch.stack([F.mse_loss(s.float(), t.float()) for s, t in zip(student, teacher, strict=True)]).sum()
