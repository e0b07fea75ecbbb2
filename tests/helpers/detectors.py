# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A small detector of each method, as a checkpoint's spec makes it; a new method adds its line."""

from __future__ import annotations

from typing import Any

import torch

from monai_anomaly.networks.nets.detector import Detector
from monai_anomaly.networks.nets.registry import make_detector
from monai_anomaly.networks.nets.standardized_detector import StandardizedDetector

SMALL: dict[str, dict[str, Any]] = {
    "Embedding": {
        "image_size": 32,
        "in_channels": 1,
        "location": {"input": "raw", "stages": ["stage5"], "segmenter_stages": ["stage3", "stage5"]},
        "segmenter": True,
    },
    "OCAD": {
        "image_size": 16,
        "in_channels": 3,
        "encoder": {"channels": [6, 8], "heads": 2, "head_dim": 4},
        "decoder": {"channels": [8, 6]},
        "latent_channels": 5,
    },
    "SAGAN": {"image_size": 32, "in_channels": 2, "generator": {"channels": 4, "residual_blocks": 1}},
    "SEPIAD": {"image_size": 32, "in_channels": 1, "feature_layers": ["r22"], "feature_width": 0.125},
    "SimSID": {
        "image_size": 32,
        "in_channels": 1,
        "generator": {"kind": "unet", "channels": [4, 8, 16], "skips": 1, "slots": 8, "token_channels": 4},
        "discriminator": {"channels": [4, 8]},
    },
}
"""Arguments of each detector of the registry."""
SMALL["Consensus"] = {
    "image_size": 32,
    "in_channels": 3,
    "members": [
        {"name": name.lower(), "detector": name, "network": SMALL[name], "intensity": intensity}
        for name, intensity in (("OCAD", "zscore"), ("SimSID", "percentile"))
    ],
    "rule": "stouffer",
}


def small_detector(name: str, *, seed: int = 0) -> Detector:
    """Return a detector in evaluation mode, with statistics of normals away from where they start."""
    torch.manual_seed(seed)
    detector = make_detector({"detector": name, "network": SMALL[name]})
    if isinstance(detector, StandardizedDetector):  # not fitted: those of noise are next to nothing
        detector.score_mean.fill_(0.3)
        detector.score_std.fill_(2.0)
    return detector.eval()


def small_images(detector: Detector, count: int = 4, *, seed: int = 7) -> torch.Tensor:
    """Return noise ``(count, C, S, S)`` in [0, 1], each image of a contrast of its own."""
    generator = torch.Generator().manual_seed(seed)
    size = detector.image_size
    noise = torch.rand(count, detector.in_channels, size, size, generator=generator)
    return 0.5 + torch.rand(count, 1, 1, 1, generator=generator) * (noise - 0.5)
