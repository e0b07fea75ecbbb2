# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The networks that a backbone can be, by name: made whole, filled with weights, and cut into stages."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from torch import Tensor, nn

from monai_anomaly.networks.nets.features.efficientnet_lite0 import LITE0, LITE0_STAGES, EfficientNetLite0
from monai_anomaly.networks.nets.features.stages import Stages
from monai_anomaly.networks.nets.features.torchvision_stages import (
    load_torchvision_weights,
    torchvision_network,
    torchvision_stage_names,
    torchvision_stages,
)

__all__ = ["cut", "fill", "stage_names", "whole_network"]


def whole_network(name: str, image_size: int) -> nn.Module:
    """Make a network with random weights and no classifier; arguments and errors as in ``torchvision_network``."""
    return EfficientNetLite0() if name == LITE0 else torchvision_network(name, image_size)


def stage_names(network: nn.Module) -> list[str]:
    """Name the stages of a whole network, from shallow to deep."""
    return list(LITE0_STAGES) if isinstance(network, EfficientNetLite0) else torchvision_stage_names(network)


def fill(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Fill a whole network with published weights; arguments and errors as in ``load_torchvision_weights``."""
    if isinstance(network, EfficientNetLite0):
        network.load_unfolded(state, source)
    else:
        load_torchvision_weights(network, state, source)


def cut(network: nn.Module, count: int) -> nn.Module:
    """Keep so many stages of a whole network, batch normalization folded in; the network's parts are taken over."""
    if isinstance(network, EfficientNetLite0):
        return Stages(islice(network, count))
    return torchvision_stages(network, count)
