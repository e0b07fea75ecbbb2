# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How far a latent is from those of the normals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

__all__ = ["SPREADS", "GaussianDescriptor", "saturating"]

SPREADS = ("diagonal", "scalar", "full")

_CHUNK = 256  # latents in float64 at a time


def saturating(distance: Tensor) -> Tensor:
    """Distances ``d`` of any shape to ``1 - exp(-d)`` in [0, 1], float32; the loss of :class:`GaussianDescriptor`.

    Its pull on a latent fades where ``d`` is large, so that abnormal images among the training normals move the encoder
    little. It rounds to 1 from a ``d`` of about 17 on, so images are to be ranked by ``d``.

    Source: IGD, Chen et al., "Deep one-class classification via interpolated Gaussian descriptor", AAAI 2022,
    arXiv:2101.10043.
    """
    return -torch.expm1(-distance.float())


class GaussianDescriptor(nn.Module):
    """Squared distance of a latent to the center of the normals, in units of their spread, averaged over its channels.

    It is about 1 for normals, however many channels there are. Center and spread are not learned but set by
    :meth:`fit`: a learned spread grows without end, since that makes every distance small.

    The full covariance is scikit-learn's, whose own distance has no floors and no gradient.

    Args:
        channels: channels D of a latent.
        spread: "diagonal", a variance for each channel; "scalar", one for all: the mean squared distance of the normals
            to the center, over D; or "full", a variance along each principal axis of the normals, for channels that
            vary together. Their covariance is shrunk towards the scalar by Ledoit and Wolf's share, so that there may
            be fewer normals than channels.
        floor: least variance, in squared units of the latent. An encoder that shrinks all latents to a point gains
            nothing below it.
        relative_floor: least variance as a share of the mean variance, so that a channel that hardly varies does not
            outweigh the others.

    Attributes:
        center: ``(D,)``, float32; 0 before :meth:`fit`.
        variance: ``(D,)``, float32; all alike if "scalar"; 1 before :meth:`fit`.
        axes: ``(D, D)``, float32, the principal axes as rows, in the order of their variances; empty if not "full".

    Raises:
        ValueError: on an argument outside its range, and in ``fit`` and ``forward`` on latents of another shape.

    Source: IGD, Chen et al., "Deep one-class classification via interpolated Gaussian descriptor", AAAI 2022,
    arXiv:2101.10043, whose distance is that of the scalar spread. There, a refresh takes the spread about the old
    center.

    Example:
        >>> descriptor = GaussianDescriptor(4)
        >>> descriptor.fit(torch.rand(10, 4))
        >>> descriptor(torch.rand(2, 4)).shape
        torch.Size([2])
    """

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        center: Tensor
        variance: Tensor
        axes: Tensor

    def __init__(
        self, channels: int, *, spread: str = "diagonal", floor: float = 1e-4, relative_floor: float = 0.01
    ) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"channels must be at least 1, got {channels}.")
        if spread not in SPREADS:
            raise ValueError(f"spread must be one of {', '.join(map(repr, SPREADS))}, got {spread!r}.")
        if not 0.0 < floor < float("inf"):
            raise ValueError(f"floor must be positive, got {floor}.")
        if not 0.0 <= relative_floor < 1.0:
            raise ValueError(f"relative_floor must lie in [0, 1), got {relative_floor}.")
        self.channels = channels
        self.spread = spread
        self.floor = floor
        self.relative_floor = relative_floor
        self.register_buffer("center", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.full = spread == "full"
        self.register_buffer("axes", torch.eye(channels) if self.full else torch.zeros(0, 0))

    @torch.no_grad()
    def fit(self, latents: Tensor) -> None:
        """Take center and spread from the latents of all training normals, in float64, the spread about the new center.

        Args:
            latents: ``(N, D)``, or maps ``(N, D, h, w)``, of which each position counts as one latent; on any device.

        Raises:
            ValueError: with fewer than 2 latents, and where one is not finite or its square is not.
        """
        self._check_latent(latents)
        samples = latents.detach().movedim(1, -1).reshape(-1, self.channels).cpu()  # not every device has float64
        if len(samples) < 2:
            raise ValueError(f"the spread needs at least 2 latents of training normals, got {len(samples)}.")
        parts = samples.split(_CHUNK)
        center = torch.stack([part.double().sum(dim=0) for part in parts]).sum(dim=0) / len(samples)
        squares = torch.stack([(part.double() - center).square().sum(dim=0) for part in parts]).sum(dim=0)
        variance = squares / len(samples)
        if not bool(variance.float().isfinite().all()):  # nor can the center be where it is not
            raise ValueError(
                "latents must be finite and their squares too, in float32; "
                "the encoder has diverged: lower its learning rate."
            )
        mean = variance.mean()
        if self.spread == "scalar":
            variance = mean.expand(self.channels)
        elif self.full:
            from sklearn.covariance import ledoit_wolf  # its import takes longer than scoring an image

            covariance, _ = ledoit_wolf((samples.double() - center).numpy(), assume_centered=True)
            variance, axes = torch.linalg.eigh(torch.from_numpy(covariance))
            self.axes.copy_(axes.T)
        self.center.copy_(center)
        self.variance.copy_(variance.clamp(min=max(self.floor, self.relative_floor * float(mean))))

    def forward(self, latent: Tensor) -> Tensor:
        """Latents ``(B, D)`` to distances ``(B,)``, or maps ``(B, D, h, w)`` to ``(B, h, w)``; float32, at least 0."""
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            self._check_latent(latent)
        shape = self._view(latent.dim())
        offset = latent.float() - self.center.view(shape)
        if self.full:
            offset = self._turn(offset)
        return (offset.square() / self.variance.view(shape)).mean(dim=1)

    def _turn(self, offset: Tensor) -> Tensor:
        """Coordinates along the principal axes, in the shape of ``offset``; scripted, in the caller's autocast."""
        columns = offset.reshape(offset.shape[0], self.channels, -1)
        if torch.jit.is_scripting():
            turned = torch.matmul(self.axes, columns)
        else:
            with torch.autocast(offset.device.type, enabled=False):
                turned = torch.matmul(self.axes, columns)
        return turned.reshape(offset.shape)

    def _view(self, dims: int) -> list[int]:
        """Shape of the statistics for latents of so many dimensions."""
        return [1, -1] + [1] * (dims - 2)

    def _check_latent(self, latent: Tensor) -> None:
        if latent.dim() not in (2, 4) or latent.shape[1] != self.channels:
            raise ValueError(
                f"latents must have shape (B, {self.channels}) or (B, {self.channels}, h, w), "
                f"got {list(latent.shape)}; set channels."
            )
