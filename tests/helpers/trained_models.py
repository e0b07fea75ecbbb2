# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a training leaves in its folder, and whether two of them are the same."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from monai_anomaly.bundle import TrainedDetector
from monai_anomaly.networks.nets.detector import Detector


def load(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds."""
    return torch.load(path, weights_only=True)


def spec_args(folder: Path) -> dict[str, Any]:
    """How a trained detector was made."""
    return load(folder / "models" / "model.pt")["spec"]


def load_trained(folder: Path) -> Detector:
    """Return the trained detector, to be asked."""
    return TrainedDetector.read(folder / "models" / "model.pt").detector


def spread(detector: nn.Module) -> float:
    """Return what the detector divides its map by: some scores are in deviations of normals, tiny at first."""
    return float(getattr(detector, "score_std", torch.ones(1)).min())


def assert_same(a: Any, b: Any, where: str = "checkpoint") -> None:
    """Bit for bit: tensors, numbers (NaN equals NaN) and structure."""
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]")
    elif not (isinstance(a, float) and math.isnan(a) and math.isnan(b)):
        assert a == b, where
