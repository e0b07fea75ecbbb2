# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``torch.compile`` for the networks of an objective."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch._functorch.config as functorch_config
from torch import Tensor, nn

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["compile_networks"]


def compile_networks(networks: Iterable[nn.Module], device: torch.device | str) -> None:
    """Have each network translated when it is called, in place: names in its state dict stay as they are.

    The first steps of each kind take a minute or so. Copies of a network and other processes are as they were.

    Raises:
        ConfigError: when this machine lacks what ``torch.compile`` needs for the device.
    """
    functorch_config.donated_buffer = False  # an objective may take gradients of a graph more than once
    _try_compiler(device)
    for network in networks:
        network.compile(dynamic=False)  # the same kernels for a shape, whichever shapes came before


def _try_compiler(device: torch.device | str) -> None:
    try:
        torch.compile(_sample)(torch.zeros(8, device=device))
    except RuntimeError as error:  # every failure of torch.compile is one
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line for line in lines if not line.endswith("raised:")), type(error).__name__)[:200].rstrip(".")
        raise ConfigError(
            f"compile=True needs a C++ compiler (g++, or what CXX names) and Python's headers, on a GPU Triton, too; "
            f"torch.compile says: {reason}. Install them, or set compile to False."
        ) from error


def _sample(x: Tensor) -> Tensor:
    return (x + 1.0).exp()
