# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from monai_anomaly.networks.nets.features.stages import Stages
from monai_anomaly.networks.nets.features.weights_file import entry

__all__ = ["LITE0", "LITE0_STAGES", "EfficientNetLite0"]

LITE0 = "efficientnet_lite0"
LITE0_STAGES = {
    "stage1": 16,
    "stage2": 24,
    "stage3": 40,
    "stage4": 80,
    "stage5": 112,
    "stage6": 192,
    "stage7": 320,
    "head": 1280,
}
"""The stages from shallow to deep, and the channels of each; strides are 2, 4, 8, 16, 16, 32, 32, 32."""

_REPEATS = (1, 2, 2, 3, 3, 4, 1)
_KERNELS = (3, 3, 5, 3, 5, 5, 3)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_STEM_CHANNELS = 32
_EPSILON = 1e-3  # of the batch normalization that the weights were trained with


class SamePaddedConv2d(nn.Conv2d):
    """Convolution of stride 2 with TensorFlow's "same" padding, whose odd zero lies at the bottom and on the right."""

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, D, ceil(H / 2), ceil(W / 2))``."""
        kernel = self.weight.shape[-1]
        height = kernel - 2 + x.shape[-2] % 2
        width = kernel - 2 + x.shape[-1] % 2
        x = F.pad(x, [width // 2, width - width // 2, height // 2, height - height // 2])
        return self._conv_forward(x, self.weight, self.bias)


def _conv(channels: int, out_channels: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    if stride == 1:
        return nn.Conv2d(channels, out_channels, kernel, padding=kernel // 2, groups=groups)
    return SamePaddedConv2d(channels, out_channels, kernel, stride=stride, groups=groups)


class InvertedResidual(nn.Module):
    """Expansion (but in the first stage), depthwise convolution and projection, with ReLU6 after the first two."""

    def __init__(self, channels: int, out_channels: int, *, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        width = channels * expansion
        self.expand = _conv(channels, width) if expansion > 1 else nn.Identity()
        self.expand_activation = nn.ReLU6(inplace=True) if expansion > 1 else nn.Identity()
        self.depthwise = _conv(width, width, kernel, stride, groups=width)
        self.activation = nn.ReLU6(inplace=True)
        self.project = _conv(width, out_channels)
        self.residual = stride == 1 and channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, D, ceil(H / stride), ceil(W / stride))``."""
        y = self.expand_activation(self.expand(x))
        y = self.project(self.activation(self.depthwise(y)))
        return x + y if self.residual else y


class EfficientNetLite0(Stages):
    """EfficientNet-Lite0 without its classifier.

    Its batch normalization is part of the convolutions (``load_unfolded``): a frozen network has no other use for it.
    MONAI's ``EfficientNetBN`` has squeeze-and-excitation and SiLU, and no name of a Lite variant; timm has the network,
    but would be a dependency for this one architecture, whose weights it downloads.

    Source: Tan and Le, https://arxiv.org/abs/1905.11946, and TensorFlow's description of the Lite variants.
    """

    def __init__(self) -> None:
        super().__init__()
        channels = _STEM_CHANNELS
        for index, width in enumerate(list(LITE0_STAGES.values())[:-1]):
            layers: list[nn.Module] = []
            if index == 0:
                layers += [_conv(3, _STEM_CHANNELS, 3, stride=2), nn.ReLU6(inplace=True)]
            for repeat in range(_REPEATS[index]):
                layers.append(
                    InvertedResidual(
                        channels,
                        width,
                        expansion=1 if index == 0 else 6,
                        kernel=_KERNELS[index],
                        stride=_STRIDES[index] if repeat == 0 else 1,
                    )
                )
                channels = width
            self.append(nn.Sequential(*layers))
        self.append(nn.Sequential(_conv(channels, LITE0_STAGES["head"]), nn.ReLU6(inplace=True)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.get_parameter("bias"))

    def _convolutions(self) -> Iterator[tuple[nn.Conv2d, str, str]]:
        """Yield each convolution with the published names of it and of its batch normalization."""
        convolutions = [module for module in self.modules() if isinstance(module, nn.Conv2d)]
        yield convolutions[0], "_conv_stem", "_bn0"
        block = 0
        for module in self.modules():
            if isinstance(module, InvertedResidual):
                if isinstance(module.expand, nn.Conv2d):
                    yield module.expand, f"_blocks.{block}._expand_conv", f"_blocks.{block}._bn0"
                yield module.depthwise, f"_blocks.{block}._depthwise_conv", f"_blocks.{block}._bn1"
                yield module.project, f"_blocks.{block}._project_conv", f"_blocks.{block}._bn2"
                block += 1
        yield convolutions[-1], "_conv_head", "_bn1"

    @torch.no_grad()
    def load_unfolded(self, state: Mapping[str, Tensor], source: str) -> None:
        """Take over published weights ``_conv_stem.weight``, ``_bn0.weight``..., batch normalization folded in.

        Args:
            state: the published state dict; what the stages here do not need is left alone.
            source: what messages call it.

        Raises:
            WeightsError: with the name of what is missing or has another shape.
        """
        for conv, name, norm in self._convolutions():
            weight = entry(state, f"{name}.weight", conv.weight.shape, source)
            mean, variance, gain, shift = (
                entry(state, f"{norm}.{part}", weight.shape[:1], source)
                for part in ("running_mean", "running_var", "weight", "bias")
            )
            folded, bias = fuse_conv_bn_weights(weight, None, mean, variance, _EPSILON, gain, shift)
            conv.weight.copy_(folded)
            if conv.bias is not None:
                conv.bias.copy_(bias)
