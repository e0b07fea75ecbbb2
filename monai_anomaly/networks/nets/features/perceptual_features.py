# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from monai_anomaly.networks.blocks.channel_statistics import ChannelStatistics, RunningMoments

__all__ = ["PerceptualFeatures"]

_STD_FLOOR = 1e-2
_ORIGIN_LENGTH = 128


class PerceptualFeatures(nn.Module):
    """Frozen network by whose features images are compared, each channel normalized by the training normals.

    A network of its own gives ``raw``. Parameters need no gradient and the module stays in evaluation mode whatever its
    parent does. A new instance normalizes nothing (mean 0, standard deviation 1): load its weights, then
    ``fit_statistics`` on the training normals. Both travel in the state dict, with where the weights are from.

    Args:
        layers: names of the layers whose features are compared, from shallow to deep.
        channels: C of each.

    Attributes:
        layers: as given.
        origin: where the weights are from, in words.
    """

    __jit_unused_properties__ = ["is_fitted"]

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        num_fitted: torch.Tensor

    def __init__(self, layers: Sequence[str], channels: Sequence[int]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.statistics = nn.ModuleList(ChannelStatistics(c) for c in channels)
        self.register_buffer("num_fitted", torch.zeros((), dtype=torch.int64))
        self.origin = "random"

    def freeze(self) -> None:
        """Give all parameters up as such, and stay in evaluation mode; a network calls it when it is whole."""
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> PerceptualFeatures:
        """Stay in evaluation mode: the features are frozen."""
        return super().train(False)

    def get_extra_state(self) -> dict[str, str]:
        """Return the weights' origin, so that every checkpoint says it."""
        return {"origin": self.origin}

    def set_extra_state(self, state: Mapping[str, str]) -> None:
        """Take over the weights' origin, at most 128 characters of it."""
        self.origin = str(state["origin"])[:_ORIGIN_LENGTH]

    @property
    def is_fitted(self) -> bool:
        """Whether the statistics were fitted, here or before the weights were saved."""
        return int(self.num_fitted) > 0

    def load_weights(self, weights: str) -> None:
        """Load weights and record their origin; the statistics are not theirs any more, unless they bring some.

        Args:
            weights: a name that the network knows, or the path of a file.

        Raises:
            WeightsError: when they cannot be had, or do not fit the network.
        """
        raise NotImplementedError

    def raw(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Features before normalization.

        Args:
            image: ``(B, 1 or 3, H, W)`` in [0, 1] (reconstructions may leave it); one channel is repeated three times.

        Returns:
            One ``(B, C, h, w)`` per layer.
        """
        raise NotImplementedError

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return normalized features in float32, one tensor per layer; arguments as in ``raw``."""
        outputs = self.raw(image)
        normalized: list[torch.Tensor] = []
        for index, statistics in enumerate(self.statistics):
            normalized.append(statistics(outputs[index]))
        return normalized

    @torch.no_grad()
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Set mean and standard deviation per channel from images, in one pass and float64.

        A standard deviation is at least a hundredth of its layer's mean one: a channel that is dead on the training
        images would otherwise decide the distance alone when it fires.

        Args:
            batches: images ``(B, 1 or 3, H, W)`` in [0, 1], the training normals, on any device.

        Raises:
            ValueError: when there is no image, or the features are not finite.
        """
        moments = [RunningMoments() for _ in self.layers]
        images = 0
        for batch in batches:
            for running, output in zip(moments, self.raw(batch.to(self.num_fitted.device)), strict=True):
                running.update(output)
            images += batch.shape[0]
        if images == 0:
            raise ValueError("fit_statistics needs at least one image, got none; check the training list.")
        for name, running, statistics in zip(self.layers, moments, self.statistics, strict=True):
            std = running.std()
            floor = (_STD_FLOOR * std.mean()).clamp(min=1e-6)
            if not torch.isfinite(std).all():
                raise ValueError(f"features of layer {name} are not finite; check the images and the feature weights.")
            statistics.get_buffer("mean").copy_(running.mean)
            statistics.get_buffer("std").copy_(std.clamp(min=floor))
        self.num_fitted.fill_(images)
