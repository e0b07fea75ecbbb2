# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Exact solver of Poisson's equation on rectangles, for a batch in which each has its own size."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["sine_matrix", "solve_poisson"]


def sine_matrix(count: Tensor, size: int) -> Tensor:
    """Matrices of the discrete sine transform (type I): symmetric, and each its own inverse.

    ``S[i, j] = sqrt(2 / (n + 1)) sin(pi (i + 1) (j + 1) / (n + 1))`` for i, j < n, zero beyond.

    Args:
        count: n for each matrix, whole numbers ``(B,)``.
        size: number of rows and columns, at least the largest n.

    Returns:
        float32 ``(B, size, size)``.
    """
    order = torch.arange(1, size + 1, device=count.device)
    period = count[:, None, None] + 1
    # whole periods are taken off in whole numbers: a sine of thousands of radians would lose digits in float32
    phase = (order[:, None] * order[None, :]) % (2 * period)
    wave = torch.sqrt(2.0 / period) * torch.sin(math.pi / period * phase)
    used = order <= count[:, None]
    return torch.where(used[:, :, None] & used[:, None, :], wave, 0.0)


def solve_poisson(source: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Solve ``4 u[p] - (sum of u over p's four neighbors) = source[p]`` with u = 0 around each rectangle.

    The sine transform makes the equations of a rectangle independent of each other, so that four products with dense
    matrices solve them exactly, ``u = S_r ((S_r f S_c) / (lambda_r + lambda_c)) S_c``, for all images and sizes at
    once, on any device. Nothing at hand does that: SciPy has the sine transform on the CPU and for one size at a time,
    torch has none, and MONAI and scikit-image have no Poisson blending.

    Computed in float32, also under autocast. TF32 products, off in PyTorch unless asked for, would leave three digits.

    Args:
        source: floating point ``(B, C, n, m)``; only the first ``height`` rows and ``width`` columns of each are read,
            but all must be finite.
        height: rows of each rectangle, ``(B,)`` whole numbers in [1, n].
        width: columns of each rectangle, ``(B,)`` whole numbers in [1, m].

    Returns:
        u, float32 ``(B, C, n, m)``, zero beyond each rectangle.

    Raises:
        ValueError: when the shapes do not fit, or a rectangle is empty or larger than ``source``.
    """
    if source.ndim != 4 or height.shape != source.shape[:1] or width.shape != source.shape[:1]:
        raise ValueError(
            "source must be (B, C, n, m), height and width (B,), got "
            f"{tuple(source.shape)}, {tuple(height.shape)} and {tuple(width.shape)}."
        )
    for name, count, most in (("height", height, source.shape[2]), ("width", width, source.shape[3])):
        if bool((count < 1).any() or (count > most).any()):
            raise ValueError(f"{name} must lie in [1, {most}], the size of source, got {count.tolist()}.")
    height, width = height.to(source.device), width.to(source.device)
    with torch.autocast(source.device.type, enabled=False):
        rows = sine_matrix(height, source.shape[2])[:, None]
        columns = sine_matrix(width, source.shape[3])[:, None]
        scale = _eigenvalues(height, source.shape[2])[:, None, :, None]
        scale = scale + _eigenvalues(width, source.shape[3])[:, None, None, :]
        return rows @ ((rows @ source.float() @ columns) / scale) @ columns


def _eigenvalues(count: Tensor, size: int) -> Tensor:
    """Those of ``2 u[i] - u[i - 1] - u[i + 1]``, ``(B, size)``; 1 beyond each count, where the transform is zero."""
    order = torch.arange(1, size + 1, device=count.device)
    value = 4.0 * torch.sin(math.pi / 2.0 * order / (count[:, None] + 1)).square()
    return torch.where(order <= count[:, None], value, 1.0)
