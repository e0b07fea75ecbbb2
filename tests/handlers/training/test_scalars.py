# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch

from monai_anomaly.handlers.training.scalars import scalars


def test_scalars_are_what_a_curve_can_show():
    output = {"loss": 1.0, "term": torch.tensor(2.0), "image": torch.zeros(1), "label": 0, "name": "x", "ok": True}
    assert scalars([output, output]) == {"loss": 1.0, "term": torch.tensor(2.0)}
