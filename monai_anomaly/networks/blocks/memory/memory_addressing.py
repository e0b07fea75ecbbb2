# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How much each row of a memory contributes to an answer.

Logits and weights have the shape ``(..., S)``, S rows of a memory, and are float32. A logit of minus infinity marks an
empty row: its weight is zero, and where all rows are empty, all weights are zero.

Sources: softmax with hard shrinkage: MemAE, Gong et al., ICCV 2019, https://arxiv.org/abs/1904.02639; the top rows with
a straight-through gradient: SQUID, Xiang et al., CVPR 2023, https://arxiv.org/abs/2111.13495; Gumbel noise: report of
S. R., "Unsupervised Anomaly Detection using SimSID algorithm", Algorithm 4.4. ``torch.nn.functional.gumbel_softmax`` is
not used because it keeps one row only and draws noise in evaluation mode as well.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

__all__ = ["SPARSIFIERS", "add_gumbel_noise", "addressing_weights", "top_rows"]

SPARSIFIERS = ("none", "topk", "topk_strict", "hard", "gumbel_topk")


def addressing_weights(
    logits: torch.Tensor, sparsify: str, top_k: int = 5, threshold: float = 0.0025, reduce: str = "weighted"
) -> torch.Tensor:
    """Logits to weights, of which those of the rows kept sum to 1.

    Args:
        logits: ``(..., S)``, float32; for "gumbel_topk" with their noise, see :func:`add_gumbel_noise`.
        sparsify: which rows are kept: "none" keeps all; "topk" and "gumbel_topk" the ``top_k`` largest; "topk_strict"
            those above the ``top_k``-th largest, as SQUID and SimSID published it, which are ``top_k - 1``; "hard"
            those whose softmax is above ``threshold``, as MemAE.
        top_k: number of rows, from 1 to S.
        threshold: share of the whole weight, for "hard".
        reduce: "weighted", or "sum", which gives every row kept the weight 1.

    Returns:
        Weights ``(..., S)``. The rows not kept have a weight of exactly zero. The gradient is that of the softmax over
        all rows (straight-through), so that rows not kept learn too; only "hard" with "weighted" has its own.

        Which of the rows that tie for the last place are among the ``top_k`` is left to ``torch.topk``; where these
        rows are the same, so is the answer. "topk_strict" keeps none of them.
    """
    if sparsify == "none":
        filled = logits > float("-inf")
        weights = torch.where(filled, _softmax(logits), 0.0)
        return _straight_through(filled.to(logits.dtype), logits) if reduce == "sum" else weights
    if sparsify == "hard":
        weights = torch.where(logits > float("-inf"), _softmax(logits), 0.0)
        kept = weights > threshold
        if reduce == "sum":
            return _straight_through(kept.to(logits.dtype), logits)
        return _shares(torch.where(kept, weights, 0.0))
    return _straight_through(_top_weights(logits.detach(), top_k, sparsify == "topk_strict", reduce == "sum"), logits)


def add_gumbel_noise(logits: torch.Tensor) -> torch.Tensor:
    """Logits plus standard Gumbel noise of torch's global generator: the largest is then a draw from their softmax."""
    return logits - torch.empty_like(logits).exponential_().log()


def _top_weights(logits: torch.Tensor, k: int, strict: bool, even: bool) -> torch.Tensor:
    """Weights of the ``k`` largest logits: their softmax, or 1 if even.

    They are chosen by logit, because softmax weights underflow to zero and are then all the same.
    """
    weights, index = top_rows(logits, k, strict, even)
    # added, because rows of weight 0 may share a place with one that is kept
    return torch.zeros_like(logits, dtype=weights.dtype).scatter_add(-1, index, weights)


def top_rows(logits: torch.Tensor, k: int, strict: bool, even: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights ``(..., k)`` of the ``k`` largest logits, and which they are; a row that is not kept has the weight 0."""
    slots = logits.shape[-1]
    if not torch.jit.is_tracing() and 32 * k <= slots < 64 * k:  # type: ignore[attr-defined]
        # torch.topk looks for the k largest alone only where 64 k <= S, and orders all others too below: twice the time
        logits = F.pad(logits, [0, 64 * k - slots], value=float("-inf"))
    top, index = logits.topk(k, dim=-1)
    kept = (top > top[..., -1:]) if strict else (top > float("-inf"))
    weights = kept.to(top.dtype) if even else _shares(torch.where(kept, _softmax(top), 0.0))
    return weights, index.clamp(max=slots - 1)  # of the padding none is kept


def _softmax(logits: torch.Tensor) -> torch.Tensor:
    """Softmax over the last dimension, with even weights, not NaN, where all logits are minus infinity.

    Weights below ``exp(-80)`` times the largest are made that large: smaller ones would be denormal numbers, with which
    a processor is a hundred times slower.
    """
    largest = logits.detach().amax(dim=-1, keepdim=True).clamp(min=-1e38)
    return torch.softmax(torch.maximum(logits, largest - 80.0), dim=-1)


def _shares(weights: torch.Tensor) -> torch.Tensor:
    """Weights over their sum; zeros where all are zero."""
    return weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-12)


def _straight_through(value: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Return the value, with the gradient of the softmax of the logits."""
    if not logits.requires_grad:
        return value
    weights = _softmax(logits)
    return weights + (value - weights).detach()
