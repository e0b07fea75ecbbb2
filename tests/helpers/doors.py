# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A detector that nobody trained, as a training leaves it, for the tests of the door for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.guard.input_guard import InputGuard
from tests.helpers.calibrations import make_calibration
from tests.helpers.detectors import SMALL, small_detector


def write_model(
    folder: Path, *, name: str = "SEPIAD", frames: str = "middle", guard: bool = True, **preprocessing: Any
) -> Path:
    """Write a small detector with a guard that knows noise of all contrasts, and return the file."""
    detector, network = small_detector(name), SMALL[name]
    size, channels = network["image_size"], network["in_channels"]
    settings = {"image_size": size, "channels": channels, "min_size": 8, **preprocessing}
    data = {"frames": frames, "split_seed": 0, "split_shares": [0.6, 0.1, 0.3]}
    spec = {"detector": name, "network": network, "preprocessing": settings, "data": data}
    content: dict[str, Any] = {"spec": spec, "model": detector.state_dict(), "map_range": (0.0, 2.0)}
    if guard:
        normals = torch.rand(12, channels, size, size, generator=torch.Generator().manual_seed(0))
        facts = [{"rows": 64, "columns": 64, "colored": 0.0}] * 12
        content["guard"] = InputGuard.fit(normals, facts).state()
    torch.save(content, folder / "model.pt")
    return folder / "model.pt"


def calibrate(path: Path, scores: Any = None, **more: Any) -> Calibration:
    """Write a calibration beside a model, of made-up scores, and return it."""
    trained = TrainedDetector.read(path)
    calibration = make_calibration(scores, model_hash=trained.model_hash, spec_hash=trained.spec_hash, **more)
    calibration.save(path.with_name("calibration.json"))
    return calibration
