# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from monai_anomaly.networks.blocks.channel_statistics import ChannelStatistics, RunningMoments
from monai_anomaly.networks.nets.features.weights_file import download_state_dict, file_origin, read_state_dict
from monai_anomaly.utils.exceptions import WeightsError

__all__ = ["VGG_LAYERS", "VGGFeatures", "load_feature_weights"]

_BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
VGG_LAYERS = tuple(f"r{b}{c}" for b, (_, convs) in enumerate(_BLOCKS, 1) for c in range(1, convs + 1))
"""Names of the feature layers: r42 is the ReLU after the second convolution of the fourth block."""

_STD_FLOOR = 1e-2
_ORIGIN_LENGTH = 128
_EXTRA_STATE = "_extra_state"  # PyTorch's key of what get_extra_state returns


def _vgg_layers(deepest: str, width: float, norm: bool) -> tuple[nn.Sequential, dict[str, int], list[int]]:
    """Return torchvision's layers up to ``deepest``, the index of each ReLU in them, and the channels there.

    They are made here because the import of torchvision's models takes longer than all scoring of an image.
    """
    layers: list[nn.Module] = []
    taps: dict[str, int] = {}
    channels = [3]
    for block, (widest, convs) in enumerate(_BLOCKS, 1):
        for conv in range(1, convs + 1):
            channels.append(max(1, round(width * widest)))
            layers.append(nn.Conv2d(channels[-2], channels[-1], kernel_size=3, padding=1))
            layers += [nn.BatchNorm2d(channels[-1])] if norm else []
            layers.append(nn.ReLU(inplace=True))
            taps[f"r{block}{conv}"] = len(layers) - 1
            if f"r{block}{conv}" == deepest:
                return nn.Sequential(*layers), taps, channels[1:]
        layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    raise AssertionError(deepest)


class VGGFeatures(nn.Module):
    """Frozen VGG19, cut after the deepest layer asked for, with features normalized per channel.

    The layers have torchvision's layout and names (``features.<n>.weight``), so that the state dict of ``vgg19`` (or
    ``vgg19_bn`` with ``norm``) fits at ``width=1``. Parameters need no gradient and the module stays in evaluation mode
    whatever its parent does; to train the layers (a pretext task), use the child ``features`` itself.

    A new instance has random weights and normalizes nothing (mean 0, standard deviation 1): call
    ``load_feature_weights``, then ``fit_statistics`` on the training normals. Both travel in the state dict.

    Args:
        layers: names from ``VGG_LAYERS``, from shallow to deep, such as ``("r32", "r42")``.
        width: factor on all channel counts; 0.25 is about a sixteenth of the work.
        norm: batch normalization after each convolution, as in ``vgg19_bn``.

    Raises:
        ValueError: on an unknown layer, a wrong order, or a width that is not positive.

    Source: Simonyan and Zisserman, https://arxiv.org/abs/1409.1556; torchvision's ``vgg19``.
    """

    __jit_unused_properties__ = ["is_fitted"]

    if TYPE_CHECKING:
        input_mean: torch.Tensor
        input_std: torch.Tensor
        num_fitted: torch.Tensor

    def __init__(self, layers: Sequence[str] = ("r42",), width: float = 1.0, *, norm: bool = False) -> None:
        super().__init__()
        names = (layers,) if isinstance(layers, str) else tuple(layers)
        unknown = [name for name in names if name not in VGG_LAYERS]
        if unknown or not names:
            raise ValueError(f"layers must be names out of {VGG_LAYERS}, got {unknown or names}.")
        if list(names) != sorted(set(names), key=VGG_LAYERS.index):
            raise ValueError(f"layers must be listed once each, from shallow to deep, got {names}.")
        if not 0.0 < width <= 4.0:
            raise ValueError(f"width must lie in (0, 4], got {width}.")
        self.layers = names
        self.width = float(width)
        self.norm = bool(norm)
        self.features, taps, channels = _vgg_layers(names[-1], width, norm)
        self.taps = [taps[name] for name in names]
        self.statistics = nn.ModuleList(ChannelStatistics(channels[VGG_LAYERS.index(name)]) for name in names)
        # torchvision's normalization of ImageNet
        self.register_buffer("input_mean", torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1))
        self.register_buffer("input_std", torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1))
        self.register_buffer("num_fitted", torch.zeros((), dtype=torch.int64))
        self.origin = "random"
        self._initialize()
        self.requires_grad_(False)
        self.eval()

    def _initialize(self) -> None:
        for m in self.features.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
        self.origin = "random"

    def train(self, mode: bool = True) -> VGGFeatures:
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

    @torch.jit.export
    def raw(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Features before normalization.

        Args:
            image: ``(B, 1 or 3, H, W)`` in [0, 1] (reconstructions may leave it); one channel is repeated three times.

        Returns:
            One ``(B, C, H / 2^k, W / 2^k)`` per layer.
        """
        x = (image - self.input_mean) / self.input_std  # repeats a single channel
        outputs: list[torch.Tensor] = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taps:
                outputs.append(x)
        return outputs

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
            for running, output in zip(moments, self.raw(batch.to(self.input_mean.device)), strict=True):
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


def load_feature_weights(features: VGGFeatures, weights: str) -> None:
    """Load the weights of a feature network by name or from a file, and record their origin in it.

    Args:
        features: the network to fill.
        weights: "imagenet" (torchvision's, from its cache or downloaded), the path of a state dict of torchvision's
            ``vgg19`` / ``vgg19_bn`` or of a ``VGGFeatures`` (with its statistics), or "random" (tests only, warns).
            The statistics stay as they are unless the file holds some for the same layers.

    Raises:
        WeightsError: when the file is missing, is no such state dict or does not fit ``width``, ``norm`` and
            ``layers``, or when ImageNet weights are neither cached nor reachable.
    """
    if weights == "imagenet":
        _load_imagenet(features)
    elif weights == "random":
        warnings.warn("random feature weights are for tests only: their scores mean nothing.", stacklevel=2)
        features._initialize()
        features.num_fitted.zero_()
    else:
        _load_file(features, Path(weights).expanduser())


def _load_imagenet(features: VGGFeatures) -> None:
    if features.width != 1.0:
        raise WeightsError(
            f"weights=imagenet needs width 1.0, got {features.width}; set the feature width to 1.0, "
            "or use a file or weights=self_supervised."
        )
    from torchvision.models import VGG19_BN_Weights, VGG19_Weights

    enum = VGG19_BN_Weights.IMAGENET1K_V1 if features.norm else VGG19_Weights.IMAGENET1K_V1
    cure = (
        "give weights the path of a VGG19 state dict file, or use weights=self_supervised, which trains the features "
        "on the training normals"
    )
    _load_layers(features, download_state_dict(enum, cure), "weights=imagenet")
    features.origin = f"imagenet {enum}"


def _load_file(features: VGGFeatures, path: Path) -> None:
    source = f"feature weights {str(path)!r}"
    state = read_state_dict(
        path,
        source,
        key="features.0.weight",
        holding="VGG layers",
        cure="give 'imagenet', 'self_supervised', or the state dict of torchvision's vgg19 or of a VGGFeatures",
    )
    _load_layers(features, state, source)
    if _EXTRA_STATE in state:
        _load_statistics(features, state)
    else:
        features.origin = file_origin(path)


def _load_layers(features: VGGFeatures, state: Mapping[str, torch.Tensor], source: str) -> None:
    needed = features.features.state_dict(prefix="features.")
    missing = [key for key in needed if key not in state]
    if missing:
        raise WeightsError(
            f"{source}: {missing[0]!r} is missing; the layers {features.layers} with norm={features.norm} need it. "
            "Check that norm is the one of the weights and that the deepest layer is not deeper than they reach."
        )
    wrong = [key for key in needed if state[key].shape != needed[key].shape]
    if wrong:
        raise WeightsError(
            f"{source}: {wrong[0]!r} has shape {tuple(state[wrong[0]].shape)}, but width={features.width} and "
            f"norm={features.norm} need {tuple(needed[wrong[0]].shape)}; set them to those of the weights."
        )
    features.features.load_state_dict({key.removeprefix("features."): state[key] for key in needed})
    features.num_fitted.zero_()


def _load_statistics(features: VGGFeatures, state: Mapping[str, Any]) -> None:
    """Take over what only our own files hold; feature statistics only when they are of the same layers."""
    features.set_extra_state(state[_EXTRA_STATE])
    for name in ("input_mean", "input_std"):
        features.get_buffer(name).copy_(state[name])
    needed = features.statistics.state_dict(prefix="statistics.")
    theirs = [key for key in state if key.startswith("statistics.")]
    if sorted(theirs) == sorted(needed) and all(state[key].shape == needed[key].shape for key in needed):
        features.statistics.load_state_dict({key.removeprefix("statistics."): state[key] for key in needed})
        features.num_fitted.copy_(state["num_fitted"])
