# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The configurations that a ``.ts`` file has for MONAI Deploy: they parse anywhere, and take a picture in memory."""

from __future__ import annotations

import json
from typing import Any

from monai_anomaly.bundle.trained_detector import TrainedDetector

__all__ = ["add_outputs", "deploy_inference"]


def deploy_inference(trained: TrainedDetector, card: str) -> str:
    """Return ``inference.json``, whose objects are made of what is written in it, and of no file.

    Args:
        trained: the detector.
        card: its card.
    """
    configuration = {
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "false_alarm_rate": 0.1,
        "guard": True,
        "card": card,
        "preprocessing": _compose(
            {
                "_target_": "monai_anomaly.bundle.deploy.prepare_picture.PreparePictured",
                "keys": "image",
                "settings": trained.spec["preprocessing"],
            }
        ),
        "inferer": {"_target_": "monai_anomaly.engines.image_inferer.ImageInferer"},
        "postprocessing": _compose(
            {
                "_target_": "monai_anomaly.bundle.deploy.judge_picture.JudgePictured",
                "keys": "pred",
                "card": "@card",
                "false_alarm_rate": "@false_alarm_rate",
                "guard": "@guard",
            }
        ),
    }
    return json.dumps(configuration, indent=1)


def add_outputs(metadata: dict[str, Any]) -> None:
    """Say in a bundle's metadata what the operator gives beside the map."""
    outputs = metadata["network_data_format"]["outputs"]
    number = {"num_channels": 1, "spatial_shape": [1], "dtype": "float64"}
    for name, about, values in (("score", "anomaly score", []), ("p_value", "p-value", [0, 1])):
        outputs[name] = {"type": "tuples", "format": about, **number, "value_range": values}
    outputs["decision"] = {"type": "tuples", "format": "decision", **number, "dtype": "text", "value_range": []}


def _compose(transform: dict[str, Any]) -> dict[str, Any]:
    return {"_target_": "monai.transforms.Compose", "transforms": [transform]}
