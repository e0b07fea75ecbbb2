# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["GradientNormWeights"]


def _norms(gradients: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.stack([torch.linalg.vector_norm(g.detach(), dtype=torch.float32) for g in gradients])


def _smooth(values: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Exponential moving average down the rows, seeded by the first; a value that is not finite is left out."""
    smooth = np.empty_like(values)
    state = smooth[0] = values[0]
    for t in range(1, len(values)):
        new = values[t]
        mixed = np.where(np.isfinite(state), (1.0 - factor) * state + factor * new, new)
        state = smooth[t] = np.where(np.isfinite(new), mixed, state)
    return smooth


class GradientNormWeights:
    """Weight g of the reconstruction loss of one network that brings its gradients to the adversarial ones' size.

    For each weight tensor, the L2 norms of the adversarial and of the reconstruction gradient are kept (the last
    ``history`` observations) and smoothed from the oldest on. g is the median, over all tensors and all kept times, of
    smoothed adversarial over smoothed reconstruction norm, times ``factor``. Ratios that are not finite (a zero
    reconstruction gradient) are left out; where none is left, g stays. Norms that are not finite (an overflow) do not
    enter the smoothing. The caller observes every 100 iterations or so, and holds g in between.

    Args:
        initial: g before the first observation.
        history: number of observations kept.
        smoothing: share of the newest value in the moving average, in (0, 1].
        factor: how many times as large as the adversarial gradients those of the reconstruction become; 1 is published.

    Raises:
        ValueError: on an argument outside its range.

    Source: Tuluptceva et al., "Perceptual Image Anomaly Detection", https://arxiv.org/abs/1909.05904.
    """

    def __init__(
        self, initial: float = 1.0, *, history: int = 200, smoothing: float = 0.05, factor: float = 1.0
    ) -> None:
        if history < 1 or not 0.0 < smoothing <= 1.0:
            raise ValueError(f"history must be at least 1 and smoothing in (0, 1], got {history} and {smoothing}.")
        if not 0.0 < factor < float("inf"):
            raise ValueError(f"factor must be positive and finite, got {factor}.")
        self.history = history
        self.smoothing = smoothing
        self.factor = factor
        self.weight = float(initial)
        self._norms = torch.empty(0, 2, 0, dtype=torch.float64)  # (time, adversarial | reconstruction, tensor)

    def observe(self, adversarial: Sequence[torch.Tensor], reconstruction: Sequence[torch.Tensor]) -> float:
        """Store the norms of two sets of gradients and update the weight, with one transfer to the host.

        Args:
            adversarial: gradients of the adversarial loss, one per parameter whose name ends in "weight".
            reconstruction: those of the reconstruction loss with weight 1, in the same order. A common factor (loss
                scaling) does not matter.

        Returns:
            The new weight.

        Raises:
            ValueError: when the counts differ from each other or from earlier calls.
        """
        if not adversarial or len(adversarial) != len(reconstruction):
            raise ValueError(
                f"both losses must give the same tensors, got {len(adversarial)} and {len(reconstruction)} gradients."
            )
        row = torch.stack([_norms(adversarial), _norms(reconstruction)]).cpu().double()
        if len(self._norms) and self._norms.shape[2] != row.shape[1]:
            raise ValueError(f"expected gradients of {self._norms.shape[2]} tensors as before, got {row.shape[1]}.")
        kept = self._norms[max(0, len(self._norms) + 1 - self.history) :] if len(self._norms) else None
        self._norms = row.unsqueeze(0) if kept is None else torch.cat([kept, row.unsqueeze(0)])
        self.weight = self._median_ratio(self.weight)
        return self.weight

    def _median_ratio(self, otherwise: float) -> float:
        smooth = _smooth(self._norms.numpy(), self.smoothing)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = smooth[:, 0] / smooth[:, 1]
        finite = ratios[np.isfinite(ratios)]
        return self.factor * float(np.median(finite)) if finite.size else otherwise

    def state_dict(self) -> dict[str, Any]:
        """Return the weight and the kept norms, as a number and a tensor; enough for a bit-exact resume."""
        return {"weight": self.weight, "norms": self._norms.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` gave.

        Raises:
            ValueError: when a key is missing or the norms have another layout.
        """
        missing = {"weight", "norms"} - set(state)
        if missing:
            raise ValueError(f"state of the weight policy lacks {sorted(missing)}; the checkpoint is of another kind.")
        norms = state["norms"]
        if not isinstance(norms, torch.Tensor) or norms.dim() != 3 or norms.shape[1] != 2:
            raise ValueError("state of the weight policy must hold norms of shape (time, 2, tensors).")
        self.weight = float(state["weight"])
        self._norms = norms.detach().to("cpu", torch.float64).clone()
