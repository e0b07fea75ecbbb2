# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Detectors by name, as a checkpoint's spec calls them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from monai_anomaly.networks.nets.detector import Detector
from monai_anomaly.utils.exceptions import CheckpointError

__all__ = ["DETECTORS", "detector_class", "make_detector"]

DETECTORS: dict[str, str] = {
    "Consensus": "monai_anomaly.networks.nets.consensus.consensus",
    "Embedding": "monai_anomaly.networks.nets.embedding.embedding",
    "OCAD": "monai_anomaly.networks.nets.ocad.ocad",
    "SAGAN": "monai_anomaly.networks.nets.sagan.sagan",
    "SEPIAD": "monai_anomaly.networks.nets.sepiad.sepiad",
    "SimSID": "monai_anomaly.networks.nets.simsid.simsid",
}
"""The module of each detector's class; a new method adds its line. Imported when asked for, since few need all."""


def detector_class(name: str) -> type[Detector]:
    """Find a detector's class.

    Args:
        name: of the class, a key of ``DETECTORS``.

    Raises:
        CheckpointError: for a name that is not known.
    """
    if name not in DETECTORS:
        raise CheckpointError(
            f"'{name}' is no detector of this version of monai_anomaly, which has {', '.join(sorted(DETECTORS))}; "
            "install the version that trained it, or add its line to monai_anomaly/networks/nets/registry.py."
        )
    found: type[Detector] = getattr(import_module(DETECTORS[name]), name)
    return found


def make_detector(spec: Mapping[str, Any]) -> Detector:
    """Make a detector, with its initial weights, as a spec says: a training's, or that of a checkpoint.

    Args:
        spec: ``detector``, a key of ``DETECTORS``, and ``network``, the arguments of its class.

    Raises:
        CheckpointError: for a name that is not known, or arguments that its class does not take.
    """
    kind = detector_class(str(spec.get("detector")))
    try:
        return kind(**spec.get("network", {}))
    except TypeError as error:
        raise CheckpointError(
            f"{kind.__name__} cannot be made with these arguments ({error}); correct them, or install the version of "
            "monai_anomaly that trained the checkpoint they are of."
        ) from error
