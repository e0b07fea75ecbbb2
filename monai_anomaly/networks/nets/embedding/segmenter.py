# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from monai_anomaly.networks.blocks.segmentation_head import SegmentationHead

__all__ = ["Segmenter"]

_RARE = -2.0
"""Logit that the training begins with: about a tenth of the positions is anomalous."""


class Segmenter(nn.Module):
    """Says of each position how likely something is there that normal images do not have.

    A light decoder upon stages of a frozen backbone; synthetic anomalies in normal images teach it. It has no
    encoder of its own, so that a few dozen normals and a few hundred steps are enough.

    Args:
        channels: of the stages, from shallow to deep.
        width: channels of the decoder.

    Raises:
        ValueError: for fewer than 2 stages.
    """

    def __init__(self, channels: Sequence[int], width: int = 24) -> None:
        super().__init__()
        self.normalize = nn.ModuleList(nn.BatchNorm2d(count, affine=False) for count in channels)
        self.head = SegmentationHead(channels, [width] * (len(channels) - 1))
        nn.init.constant_(self.head.out.get_parameter("bias"), _RARE)

    def forward(self, stages: list[Tensor]) -> Tensor:
        """Stages ``(B, C_i, h_i, w_i)`` from shallow to deep to logits ``(B, 1, h_0, w_0)``."""
        normalized: list[Tensor] = []
        for index, normalize in enumerate(self.normalize):
            normalized.append(normalize(stages[index]))
        return self.head(normalized)
