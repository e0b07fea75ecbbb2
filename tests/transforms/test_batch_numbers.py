# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch

from monai_anomaly.transforms.batch_numbers import integers


def test_integers_reach_both_ends_evenly() -> None:
    low, high = torch.tensor([0, 5, 7]).repeat(3000), torch.tensor([4, 6, 9]).repeat(3000)
    values = integers(low, high, 9000, torch.Generator().manual_seed(0)).view(-1, 3)
    for column, (first, last) in zip(values.T, [(0, 4), (5, 6), (7, 9)], strict=True):
        counts = torch.bincount(column, minlength=last)[first:]
        assert len(counts) == last - first
        assert (counts / 3000 - 1 / (last - first)).abs().max() < 0.04
    assert values[:, 1].eq(5).all()
