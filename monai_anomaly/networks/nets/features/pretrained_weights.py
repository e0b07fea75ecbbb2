# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where the weights of a backbone are, by its name and what the configuration says of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from monai_anomaly.networks.nets.features.efficientnet_lite0 import LITE0
from monai_anomaly.networks.nets.features.foreign_weights import ANCHORS, read_foreign_state_dict, torchvision_names
from monai_anomaly.networks.nets.features.packaged_weights import lite0_state_dict
from monai_anomaly.networks.nets.features.torchvision_stages import OTHER_TRANSFORMERS
from monai_anomaly.networks.nets.features.weights_file import download_state_dict, file_origin
from monai_anomaly.utils.exceptions import WeightsError

if TYPE_CHECKING:  # the import takes longer than all scoring of an image
    from torchvision.models import WeightsEnum

__all__ = ["INPUT_SCALES", "PUBLISHED", "own_scale", "pretrained_weights"]

INPUT_SCALES = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "lite": ((127 / 255,) * 3, (128 / 255,) * 3),
    "symmetric": ((0.5,) * 3, (0.5,) * 3),
    "unit": ((0.0,) * 3, (1.0,) * 3),
}
"""Mean and standard deviation that weights expect to be taken from pixels in [0, 1], by name. "imagenet" is that of
torchvision, DINO and most others, "lite" that of EfficientNet-Lite; "symmetric" gives [-1, 1], "unit" the pixels."""

PUBLISHED = "published"
"""The scale that the published weights of a network expect."""

_CURE = "give backbone_weights the path of a state dict of this architecture, or use backbone=efficientnet_lite0"


def pretrained_weights(name: str, weights: str | None) -> tuple[Mapping[str, Tensor], str]:
    """Find the weights of a backbone.

    Args:
        name: of the backbone.
        weights: None for those that belong to the name, the name of others of torchvision, or the path of a file.

    Returns:
        The state dict as ``architectures.fill`` takes it, and its origin in words.

    Raises:
        WeightsError: when there are none, or they can not be had.
    """
    if name == LITE0 and weights is None:
        return lite0_state_dict()
    if name != LITE0:
        members = _torchvision_weights(name)
        if weights is None and not members:
            raise WeightsError(f"torchvision has no weights of {name}; {_CURE}.")
        chosen = members.get(weights or "DEFAULT")
        if chosen is not None:
            return download_state_dict(chosen, _CURE), f"torchvision {chosen}"
    path = Path(str(weights)).expanduser()
    source = f"backbone_weights {str(path)!r}"
    anchors = next(anchors for start, anchors in ANCHORS.items() if name.startswith(start))
    state = read_foreign_state_dict(path, source, anchors, _CURE)
    return torchvision_names(state), file_origin(path)


def _torchvision_weights(name: str) -> Mapping[str, WeightsEnum]:
    """Return torchvision's weights of a network by their names, and the ones it calls the default."""
    from torchvision import models

    if name in OTHER_TRANSFORMERS:
        return {}
    enum = models.get_model_weights(name)
    return {**enum.__members__, "DEFAULT": enum.DEFAULT}


def own_scale(name: str) -> str:
    """Return the key of ``INPUT_SCALES`` that the published weights of a network expect."""
    if name == LITE0:
        return "lite"
    return "symmetric" if name == "efficientnet_v2_l" else "imagenet"
