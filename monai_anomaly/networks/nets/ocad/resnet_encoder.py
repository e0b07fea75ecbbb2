# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from monai_anomaly.networks.nets.features.weights_file import download_state_dict, read_state_dict
from monai_anomaly.utils.exceptions import WeightsError

__all__ = ["ResNetEncoder", "load_resnet_weights"]


class ResNetEncoder(nn.Module):
    """Image to the 512 globally averaged features of torchvision's ResNet-18, as a map of one position.

    A new instance has random weights, for :func:`load_resnet_weights` or a state dict of this network to replace.

    Args:
        in_channels: 1 (gray, repeated three times) or 3.
        frozen: keep the weights: parameters need no gradient, and the layers stay in evaluation mode whatever the
            module's parent does.

    Attributes:
        out_channels: 512.
        out_size: 1.

    Raises:
        ValueError: on another number of channels.

    Source: He et al., "Deep residual learning for image recognition", CVPR 2016, https://arxiv.org/abs/1512.03385; as
    the encoder: Chen et al., "Deep one-class classification via interpolated Gaussian descriptor", AAAI 2022,
    https://arxiv.org/abs/2101.10043.
    """

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        input_mean: Tensor
        input_std: Tensor

    def __init__(self, in_channels: int, *, frozen: bool = True) -> None:
        from torchvision.models import resnet18  # its import takes longer than all scoring of an image

        super().__init__()
        if in_channels not in (1, 3):
            raise ValueError(f"in_channels must be 1 (gray) or 3 (color), got {in_channels}.")
        self.out_channels = 512
        self.out_size = 1
        self.frozen = frozen
        self.body = resnet18(weights=None)
        self.body.fc = nn.Identity()
        # torchvision's normalization of ImageNet
        self.register_buffer("input_mean", torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1))
        self.register_buffer("input_std", torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1))
        if frozen:
            self.body.requires_grad_(False)
            self.body.eval()

    def train(self, mode: bool = True) -> ResNetEncoder:
        """Frozen layers stay in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.body.eval()
        return self

    def forward(self, image: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` in [0, 1] to ``(B, 512, 1, 1)``, not negative."""
        x = (image - self.input_mean) / self.input_std  # repeats a single channel
        return self.body(x)[:, :, None, None]


def load_resnet_weights(encoder: ResNetEncoder, weights: str) -> None:
    """Load weights into the encoder by name or from a file; those of the classifier are left out.

    Args:
        encoder: the network to fill.
        weights: "imagenet" (torchvision's, from its cache or downloaded), the path of a state dict of torchvision's
            ``resnet18``, alone or within another mapping, or "random" (tests only, warns), which changes nothing.

    Raises:
        WeightsError: when the file is missing, is no such state dict, or is that of another network, or when ImageNet
            weights are neither cached nor reachable; then nothing has been loaded.
    """
    if weights == "random":
        warnings.warn("random encoder weights are for tests only: their scores mean nothing.", stacklevel=2)
        return
    state: Mapping[str, Tensor]
    if weights == "imagenet":
        from torchvision.models import ResNet18_Weights

        source = "weights=imagenet"
        cure = "give weights the path of a file of torchvision's resnet18 state dict"
        state = download_state_dict(ResNet18_Weights.IMAGENET1K_V1, cure)
    else:
        path = Path(weights).expanduser()
        source = f"encoder weights {str(path)!r}"
        cure = "give 'imagenet' or the state dict of torchvision's resnet18"
        state = read_state_dict(path, source, key="conv1.weight", holding="ResNet", cure=cure)
    layers = {key: value for key, value in state.items() if not key.startswith("fc.")}
    _check_layers(encoder.body.state_dict(), layers, source)
    # not strict, for the counts of batches alone
    encoder.body.load_state_dict(layers, strict=False)


def _check_layers(own: Mapping[str, Tensor], layers: Mapping[str, Tensor], source: str) -> None:
    """Another ResNet's weights differ in names or shapes; a deeper one's contain all names of ResNet-18."""
    # old files hold no counts of batches, which nothing here needs
    missing = [key for key in own if key not in layers and not key.endswith("num_batches_tracked")]
    unknown = [key for key in layers if key not in own]
    if missing or unknown:
        what = f"{missing[0]!r} is missing" if missing else f"{unknown[0]!r} is no part of resnet18"
        raise WeightsError(f"{source}: {what}; give the state dict of torchvision's resnet18.")
    wrong = [key for key in own if key in layers and layers[key].shape != own[key].shape]
    if wrong:
        raise WeightsError(
            f"{source}: {wrong[0]!r} has shape {tuple(layers[wrong[0]].shape)}, but resnet18 needs "
            f"{tuple(own[wrong[0]].shape)}; give the state dict of torchvision's resnet18."
        )
