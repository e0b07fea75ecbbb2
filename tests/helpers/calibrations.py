# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Calibrations of made-up scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from monai_anomaly.calibration.calibration import Calibration

MODEL, SPEC, DATA = (letter * 64 for letter in "abc")


def make_calibration(scores: Any = None, groups: Any = None, **more: Any) -> Calibration:
    scores = np.random.default_rng(0).normal(size=60) if scores is None else scores
    groups = [f"p{i // 2}" for i in range(len(scores))] if groups is None else groups
    settings = {"model_hash": MODEL, "spec_hash": SPEC, "data_hash": DATA, "frames": "middle", "aggregate": "max"}
    settings |= {"versions": {"torch": "2"}, "date": "2026-01-02T03:04:05+00:00", "counts": {"refused_files": 1}}
    return Calibration(tuple(scores), tuple(groups), **(settings | more))
