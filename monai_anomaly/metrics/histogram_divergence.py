# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How far the gray values of reconstructions are from those of the images: the KL divergence of their histograms."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce
from monai.handlers.utils import from_engine
from monai.networks.utils import eval_mode
from torch import Tensor, nn

__all__ = ["HistogramDivergence", "histogram_divergence"]

BINS = 256
EPS = 1e-8


def histogram_divergence(
    real: Tensor,
    reconstruction: Tensor,
    *,
    value_range: tuple[float, float] = (0.0, 1.0),
    bins: int = BINS,
    eps: float = EPS,
) -> float:
    """KL(real || reconstruction) of the histograms of all pixel values, in nats: 0 for equal histograms.

    Equation 5.2 of S. R., "Unsupervised Anomaly Detection using SimSID algorithm", Anna University, 2025. It compares
    gray values and not where they are: a shuffled image diverges by 0. `eps` is added to each bin's share, and the
    shares are normalized again, so that a bin that the reconstruction leaves empty does not make it infinite; it is at
    most ``-log(eps)``, 18.4.

    Args:
        real: images, float, any shape.
        reconstruction: float, any shape.
        value_range: lowest and highest value of the data; values outside of it count in the first and the last bin.
        bins: number of bins, of equal width.
        eps: see above.

    Raises:
        ValueError: when an option is out of range, there are no pixels, or one is not finite.
    """
    _check(value_range, bins, eps)
    counts = torch.stack([_counts(values, value_range, bins) for values in (real, reconstruction)])
    why = _undefined(counts)
    if why:
        raise ValueError(f"The divergence of the histograms is undefined: {why}.")
    return _divergence(counts, eps)


def _check(value_range: tuple[float, float], bins: int, eps: float) -> None:
    if len(value_range) != 2 or not -math.inf < value_range[0] < value_range[1] < math.inf:
        raise ValueError(f"value_range must be two rising numbers, got {value_range!r}.")
    if bins < 2:
        raise ValueError(f"bins must be at least 2, got {bins}.")
    if not 0 < eps < 1:
        raise ValueError(f"eps must be above 0 and below 1, got {eps}.")


def _counts(values: Tensor, value_range: tuple[float, float], bins: int) -> Tensor:
    """Pixels in each bin and, last, those that are not finite, int64 ``(bins + 1,)`` on the CPU.

    ``torch.histc`` drops what is outside, counts in float32 and has no deterministic form on CUDA.
    """
    low, high = value_range
    flat = values.detach().flatten().float()
    place = ((flat - low) * (bins / (high - low))).floor().clamp(0, bins - 1)
    place = torch.where(flat.isfinite(), place, bins).long()
    return torch.bincount(place, minlength=bins + 1).cpu()


def _undefined(counts: Tensor) -> str:
    if counts[:, -1].any():
        return "a pixel is not finite, training may have diverged"
    return "" if counts.any(1).all() else "there are no pixels"


def _divergence(counts: Tensor, eps: float) -> float:
    shares = counts[:, :-1].double()
    shares = shares / shares.sum(1, keepdim=True) + eps
    p, q = shares / shares.sum(1, keepdim=True)
    return float((p * (p / q).log()).sum())


class HistogramDivergence(Metric):
    """:func:`histogram_divergence` of a whole validation set, as a metric of an evaluator.

    Only the two histograms are kept, whatever the number of images; several processes add theirs. Where it is undefined
    it is NaN, with one warning per run. It is lower for better reconstructions: as a key metric, it would choose the
    worst.

    Args:
        network: a detector with `reconstruct`, to be asked in evaluation mode for the reconstructions of the output's
            ``image``; None takes them from the output, under ``reconstruction``.
        value_range: lowest and highest value of the data; values outside of it count in the first and the last bin.
        bins: number of bins.
        eps: added to each bin's share.
        output_transform: gives images and reconstructions, or with a `network` the images alone, from
            ``engine.state.output``, in place of the keys above.

    Raises:
        ValueError: when an option is out of range, or the network has no `reconstruct`.
    """

    def __init__(
        self,
        network: nn.Module | None = None,
        *,
        value_range: tuple[float, float] = (0.0, 1.0),
        bins: int = BINS,
        eps: float = EPS,
        output_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        _check(value_range, bins, eps)
        if network is not None and not hasattr(network, "reconstruct"):
            raise ValueError(
                f"{type(network).__name__} has no `reconstruct`; put reconstructions into the evaluator's output and "
                "leave out `network`, or leave out the metric."
            )
        self.network = network
        self.value_range = (float(value_range[0]), float(value_range[1]))
        self.bins, self.eps = bins, eps
        self._warned = False
        super().__init__(output_transform or from_engine("image" if network else ["image", "reconstruction"]))

    @reinit__is_reduced
    def reset(self) -> None:
        """Forget the images of the last epoch."""
        self._pixel_counts = torch.zeros(2, self.bins + 1, dtype=torch.int64)

    @reinit__is_reduced
    def update(self, output: Any) -> None:
        """Count the pixels of a batch.

        Args:
            output: images and reconstructions, or with a network the images alone: ``(B, C, H, W)`` or lists of
                ``(C, H, W)``.
        """
        if self.network is None:
            images, reconstructions = (_batch(part) for part in output)
        else:
            images = _batch(output)
            reconstructions = _reconstruct(self.network, images)
        for row, values in enumerate((images, reconstructions)):
            self._pixel_counts[row] += _counts(values, self.value_range, self.bins)

    @sync_all_reduce("_pixel_counts")
    def compute(self) -> float:
        """Return the divergence of the epoch, or NaN when it is undefined."""
        why = _undefined(self._pixel_counts)
        if not why:
            return _divergence(self._pixel_counts, self.eps)
        if not self._warned:
            self._warned = True
            warnings.warn(f"The divergence of the histograms is undefined and reported as NaN: {why}.", stacklevel=2)
        return math.nan


def _reconstruct(network: nn.Module, images: Tensor) -> Tensor:
    # After a forward pass an evaluator puts the network back into the mode it had, which may be training.
    with eval_mode(network):
        return network.reconstruct(images)  # type: ignore[operator]


def _batch(images: Tensor | Sequence[Tensor]) -> Tensor:
    return images if isinstance(images, Tensor) else torch.stack([torch.as_tensor(image) for image in images])
