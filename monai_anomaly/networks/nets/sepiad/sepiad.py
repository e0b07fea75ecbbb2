# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Sequence

import torch

from monai_anomaly.networks.blocks.perceptual_distance import layer_shares, relative_distance_map
from monai_anomaly.networks.nets.detector import Detector
from monai_anomaly.networks.nets.features.make_features import VGG, make_features
from monai_anomaly.networks.nets.sepiad.autoencoder import Decoder, Encoder

__all__ = ["SEPIAD"]


class SEPIAD(Detector):
    """Detector of SEPIAD (PIAD with ``se=False``): relative perceptual distance of image and reconstruction.

    ``forward`` gives the map whose spatial mean is the score; higher is more anomalous, 0 is a perfect reconstruction.
    The networks work in [-1, 1] (``encode``, ``decode``); ``forward`` and ``reconstruct`` take [0, 1]. All scoring
    state is in the state dict, including the frozen feature network with its statistics (``PerceptualFeatures``). The
    critics are not part of it.

    Args:
        image_size: height and width of the images, in pixels: 32, 64, 128 or 256.
        in_channels: 1 or 3.
        encoder_channels: ``log2(image_size) - 1`` widths, from high to low resolution; None takes the published list.
        decoder_channels: as many widths, from low to high resolution; None takes the published list.
        latent_channels: length of the latent vector.
        se: squeeze-and-excitation in encoder and decoder; False is PIAD.
        se_reduction: ratio of the squeeze-and-excitation.
        se_gate_init: initial value of its gates; 0.5 is the original.
        arch: "residual" (what SEPIAD builds on) or "paper" (the PIAD paper's own code).
        feature_network: whose features are compared: "vgg19", as published, or a pretrained backbone such as
            "efficientnet_lite0".
        feature_layers: names of its layers compared, from shallow to deep; None takes r42 of a VGG19, and
            a stage of stride 16 of a backbone.
        layer_weights: one weight per layer, divided by their sum; None weighs them the same.
        feature_width: factor on the widths of a VGG19; None for 1, which ImageNet weights need.
        feature_norm: batch normalization in a VGG19; None for none.
        score: "mean" of the distance over the positions, or "top": the mean over its largest values, for focal disease;
            the map is then shifted by a constant per image so that its mean is that score.
        top_fraction: share of the pixels, in (0, 1], that "top" averages.
        relative_to: what the score divides the distance by: the size of the "image"'s own features, as published, or
            nothing, which leaves it in standard deviations of the training "normals". An image with a strong lesion has
            large features, so the published form takes part of the lesion's distance away again.
        output_init: factor on the decoder's last convolution at initialization. With fan-out initialization the first
            outputs are about ten times too large, and the first hundred steps go into shrinking them.

    Raises:
        ConfigError: on a feature network or a stage of it that is not known.
        ValueError: on an argument outside its range, and in ``forward`` on an image of another shape.

    Source: Tuluptceva et al., https://arxiv.org/abs/1909.05904; S. Z. Karim, SEPIAD.

    Example:
        >>> detector = SEPIAD(image_size=32, feature_layers=("r22",), feature_width=0.25).eval()
        >>> detector(torch.rand(2, 1, 32, 32)).shape
        torch.Size([2, 1, 32, 32])
    """

    def __init__(
        self,
        image_size: int = 64,
        in_channels: int = 1,
        *,
        encoder_channels: Sequence[int] | None = None,
        decoder_channels: Sequence[int] | None = None,
        latent_channels: int = 256,
        se: bool = True,
        se_reduction: int = 8,
        se_gate_init: float = 0.5,
        arch: str = "residual",
        feature_network: str = VGG,
        feature_layers: Sequence[str] | None = None,
        layer_weights: Sequence[float] | None = None,
        feature_width: float | None = None,
        feature_norm: bool | None = None,
        score: str = "mean",
        top_fraction: float = 0.1,
        relative_to: str = "image",
        output_init: float = 1.0,
    ) -> None:
        super().__init__(image_size, in_channels)
        if score not in ("mean", "top"):
            raise ValueError(f"score must be 'mean' or 'top', got {score!r}.")
        if not 0.0 < top_fraction <= 1.0:
            raise ValueError(f"top_fraction must lie in (0, 1], got {top_fraction}.")
        if relative_to not in ("image", "normals"):
            raise ValueError(f"relative_to must be 'image' or 'normals', got {relative_to!r}.")
        if not output_init > 0.0:
            raise ValueError(f"output_init must be positive, got {output_init}.")
        self.encoder = Encoder(
            image_size,
            in_channels,
            channels=encoder_channels,
            latent_channels=latent_channels,
            se=se,
            se_reduction=se_reduction,
            se_gate_init=se_gate_init,
            arch=arch,
        )
        self.decoder = Decoder(
            image_size,
            in_channels,
            channels=decoder_channels,
            latent_channels=latent_channels,
            se=se,
            se_reduction=se_reduction,
            se_gate_init=se_gate_init,
            arch=arch,
        )
        with torch.no_grad():
            self.decoder.tail[-1].get_parameter("weight").mul_(output_init)
        self.features = make_features(
            feature_network, feature_layers, width=feature_width, norm=feature_norm, image_size=image_size
        )
        self.relative = relative_to == "image"
        self.latent_channels = latent_channels
        self.layer_shares = layer_shares(layer_weights, len(self.features.layers))
        self.top_count = max(1, round(top_fraction * image_size**2)) if score == "top" else 0

    @torch.jit.export
    def encode(self, signed: torch.Tensor) -> torch.Tensor:
        """Image ``(B, C, S, S)`` in [-1, 1] to latent vector ``(B, latent_channels, 1, 1)``."""
        return self.encoder(signed)

    @torch.jit.export
    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Latent vector ``(B, latent_channels, 1, 1)`` to image ``(B, C, S, S)``, meant for [-1, 1], not clamped."""
        return self.decoder(z)

    @torch.jit.export
    def reconstruct(self, image: torch.Tensor) -> torch.Tensor:
        """Image ``(B, C, S, S)`` in [0, 1] to its reconstruction, meant for [0, 1], not clamped."""
        return (self.decoder(self.encoder(2.0 * image - 1.0)) + 1.0) / 2.0

    def exact_together(self) -> bool:
        """Return True: all but a few numbers of an image come from convolutions."""
        return True

    def anomaly_map(self, image: torch.Tensor) -> torch.Tensor:
        """Image ``(B, C, S, S)`` in [0, 1] to anomaly map ``(B, 1, S, S)``, float32; its spatial mean is the score."""
        real = self.features(image)
        fake = self.features(self.reconstruct(image))
        size = [self.image_size, self.image_size]
        distance = relative_distance_map(real, fake, self.layer_shares, size, self.relative)
        if self.top_count > 0:
            top = distance.flatten(1).topk(self.top_count, dim=1).values.mean(dim=1)
            distance = self.shift_to_score(distance, top)
        return distance
