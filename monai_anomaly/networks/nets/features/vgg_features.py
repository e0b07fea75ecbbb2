# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from monai_anomaly.networks.nets.features.perceptual_features import PerceptualFeatures
from monai_anomaly.networks.nets.features.weights_file import download_state_dict, file_origin, read_state_dict
from monai_anomaly.utils.exceptions import WeightsError

__all__ = ["VGG_LAYERS", "VGGFeatures", "load_feature_weights"]

_BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
VGG_LAYERS = tuple(f"r{b}{c}" for b, (_, convs) in enumerate(_BLOCKS, 1) for c in range(1, convs + 1))
"""Names of the feature layers: r42 is the ReLU after the second convolution of the fourth block."""

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


class VGGFeatures(PerceptualFeatures):
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

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        input_mean: torch.Tensor
        input_std: torch.Tensor

    def __init__(self, layers: Sequence[str] = ("r42",), width: float = 1.0, *, norm: bool = False) -> None:
        names = (layers,) if isinstance(layers, str) else tuple(layers)
        unknown = [name for name in names if name not in VGG_LAYERS]
        if unknown or not names:
            raise ValueError(f"layers must be names out of {VGG_LAYERS}, got {unknown or names}.")
        if list(names) != sorted(set(names), key=VGG_LAYERS.index):
            raise ValueError(f"layers must be listed once each, from shallow to deep, got {names}.")
        if not 0.0 < width <= 4.0:
            raise ValueError(f"width must lie in (0, 4], got {width}.")
        network, taps, channels = _vgg_layers(names[-1], width, norm)
        super().__init__(names, [channels[VGG_LAYERS.index(name)] for name in names])
        self.width = float(width)
        self.norm = bool(norm)
        self.features = network
        self.taps = [taps[name] for name in names]
        # torchvision's normalization of ImageNet
        self.register_buffer("input_mean", torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1))
        self.register_buffer("input_std", torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1))
        self._initialize()
        self.freeze()

    def _initialize(self) -> None:
        for m in self.features.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
        self.origin = "random"

    def load_weights(self, weights: str) -> None:
        """Load torchvision's weights ("imagenet"), those in a file, or "random" ones; see ``load_feature_weights``."""
        load_feature_weights(self, weights)

    @torch.jit.export
    def raw(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Features before normalization; arguments and result as in ``PerceptualFeatures``."""
        x = (image - self.input_mean) / self.input_std  # repeats a single channel
        outputs: list[torch.Tensor] = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taps:
                outputs.append(x)
        return outputs


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
