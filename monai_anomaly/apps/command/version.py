# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What ``--version`` prints."""

from __future__ import annotations

from importlib.metadata import version

from monai_anomaly import __version__

__all__ = ["version_text"]


def version_text() -> str:
    """Return the versions of this package, MONAI and PyTorch, and the device that a bundle computes on by default."""
    import torch

    device = f"cuda ({torch.cuda.get_device_name()})" if torch.cuda.is_available() else "cpu"
    versions = {"monai_anomaly": __version__, "MONAI": version("monai"), "torch": version("torch"), "device": device}
    return "\n".join(f"{name} {value}" for name, value in versions.items())
