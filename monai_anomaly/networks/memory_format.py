# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where a network's weights lie, and in which order."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["aligned", "place"]


def place(network: nn.Module, device: torch.device | str) -> nn.Module:
    """Move a network to a device and its weights to the order in memory that is fastest for them.

    That is channels_last, the same numbers in half to two thirds of the time on CPUs and on tensor cores, but for parts
    that name another one in an attribute `memory_format`, which holds for all within them.

    Returns:
        the network itself.
    """
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for part in network.modules():
        wanted = getattr(part, "memory_format", None)
        if wanted is not None:
            part.to(memory_format=wanted)  # type: ignore[call-overload]
    return network


def aligned(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return the tensor in the parameter's order in memory, itself where it has that already.

    A fused optimizer on a CPU takes gradient and state as they lie in memory, without a look at their strides: those in
    another order than the parameter would be added to other weights.
    """
    if tensor.shape != parameter.shape or tensor.stride() == parameter.stride():
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)
