# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What configurations ask of the system, so that none needs the module ``os`` and all pass the safety check."""

from __future__ import annotations

import os

import torch

__all__ = ["expand_user", "has_file", "local_device", "readers"]


def expand_user(path: str | os.PathLike[str], *parts: str) -> str:
    """Return a path with ``~`` resolved, for classes that do not do that themselves.

    Args:
        path: a folder or file.
        *parts: of what lies below it.
    """
    return os.path.join(os.path.expanduser(path), *parts)


def has_file(path: str | os.PathLike[str]) -> bool:
    """Return whether there is a file at a path, which may begin with ``~``."""
    return os.path.isfile(os.path.expanduser(path))


def local_device() -> torch.device:
    """Return the GPU of this process among those that ``torchrun`` started on one machine, or the CPU without one."""
    return torch.device(f"cuda:{os.environ['LOCAL_RANK']}" if torch.cuda.is_available() else "cpu")


def readers(device: str | torch.device) -> int:
    """Return how many threads are to read files for a network: one beside a CPU, up to eight beside an accelerator.

    Each has a process that decodes, half a second to start and 80 MiB, so that there are no more than it takes.
    """
    return 1 if torch.device(device).type == "cpu" else min(8, os.cpu_count() or 1)
