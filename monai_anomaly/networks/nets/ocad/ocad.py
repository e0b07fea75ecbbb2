# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.networks.utils import eval_mode
from torch import Tensor
from torch.nn import functional as F

from monai_anomaly.networks.blocks.gaussian_descriptor import GaussianDescriptor
from monai_anomaly.networks.blocks.structural_similarity import MultiScaleSSIM
from monai_anomaly.networks.nets.ocad.autoencoder import AttentionEncoder, Bottleneck, ConvDecoder
from monai_anomaly.networks.nets.ocad.residual_networks import ResidualDecoder
from monai_anomaly.networks.nets.ocad.resnet_encoder import ResNetEncoder
from monai_anomaly.networks.nets.standardized_detector import StandardizedDetector
from monai_anomaly.utils.evenly_spaced import evenly_spaced
from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["DECODERS", "ENCODERS", "OCAD"]

ENCODERS = ("attention", "resnet18")
DECODERS = ("conv", "residual")
_LATENT_BYTES = 2**29
"""Most memory of the latents that a Gaussian is taken from: 4,096 maps of 32 x 32 x 32, a million vectors of 128."""


class OCAD(StandardizedDetector):
    """Detector of OCAD and IGD: an autoencoder with attention, and a Gaussian descriptor of its normal latents.

    ``forward`` gives the map whose spatial mean is the score; higher is more anomalous. The score is the weighted sum
    of two terms: how badly the image is restored, and how far its latent lies from those of the normals. Each is in
    standard deviations of normals that were held out of the training, about their mean, once :meth:`fit_scores` has
    seen them. All that scoring needs is in the state dict; the critic is not part of it.

    Args:
        image_size: S, height and width of the images, in pixels.
        in_channels: 3 for color, 1 for gray.
        encoder: ``kind`` "attention" (default) and arguments of an :class:`.AttentionEncoder`; or "resnet18" and those
            of a :class:`.ResNetEncoder`.
        decoder: ``kind`` "conv" (default) and arguments of a :class:`.ConvDecoder`; or "residual", for a latent vector,
            and those of a :class:`.ResidualDecoder`. Both have a linear output.
        latent: "vector", a true bottleneck; or "map", which keeps places and gives a coarse map of the Gaussian term.
        latent_channels: D, length of the latent vector or channels of the latent map.
        spread: of the :class:`.GaussianDescriptor`: "diagonal", "scalar" or "full".
        value_range: black and white of the images as they come. Errors are in units of its width, and the structural
            similarity, which is for positive numbers, sees the images shifted and scaled by it; nothing is clipped.
        structure_weight: in [0, 1], share of the structural dissimilarity in the restoration's error; the absolute
            difference has the rest.
        window: side of the structural similarity's window, in pixels.
        levels: number of its scales; None for as many as the image allows, up to 5.
        gaussian_share: in [0, 1], share of the Gaussian term in the score; the restoration has the rest.

    Attributes:
        term_names: names of the terms, as :meth:`score_terms` gives them.

    Raises:
        ValueError: on an argument outside its range, and in ``forward`` on an image of another shape.

    Source: W. Aljuhani, "One-Class Anomaly Detection" (OCAD); IGD: Chen et al., "Deep one-class classification via
    interpolated Gaussian descriptor", AAAI 2022, https://arxiv.org/abs/2101.10043. There, the Gaussian term of the
    score is ``1 - exp(-d)``, which is the same number for all images beyond a distance d of 17; here it is d.

    Example:
        >>> detector = OCAD(32, encoder={"channels": (8, 8)}, decoder={"channels": (8, 8)}, latent_channels=4).eval()
        >>> detector(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 1, 32, 32])
    """

    term_names = ("reconstruction", "gaussian")

    def __init__(
        self,
        image_size: int = 176,
        in_channels: int = 3,
        *,
        encoder: Mapping[str, Any] | None = None,
        decoder: Mapping[str, Any] | None = None,
        latent: str = "vector",
        latent_channels: int = 128,
        spread: str = "diagonal",
        value_range: Sequence[float] = (0.0, 1.0),
        structure_weight: float = 0.85,
        window: int = 11,
        levels: int | None = None,
        gaussian_share: float = 0.5,
    ) -> None:
        super().__init__(image_size, in_channels, raw_scores=len(self.term_names))
        for name, share in (("structure_weight", structure_weight), ("gaussian_share", gaussian_share)):
            if not 0.0 <= share <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], got {share}.")
        if len(value_range) != 2 or not -float("inf") < value_range[0] < value_range[1] < float("inf"):
            raise ValueError(f"value_range must be two rising numbers, got {tuple(value_range)}.")
        self.low = float(value_range[0])
        self.width = float(value_range[1]) - float(value_range[0])
        self.structure_weight = float(structure_weight)
        self.window = window
        self.levels = levels
        self.gaussian_share = float(gaussian_share)
        self.encoder = _make_encoder(image_size, in_channels, **(encoder or {}))
        kind = (decoder or {}).get("kind", DECODERS[0])
        if kind == "residual" and latent != "vector":
            raise ValueError(f"a residual decoder needs a latent 'vector', got {latent!r}; set latent or decoder.")
        self.bottleneck = Bottleneck(
            self.encoder.out_channels,
            self.encoder.out_size,
            latent_channels,
            kind=latent,
            restore=kind != "residual",
        )
        self.decoder = _make_decoder(self, **(decoder or {}))
        self.descriptor = GaussianDescriptor(latent_channels, spread=spread)
        self.similarity = MultiScaleSSIM(image_size, window=window, levels=levels)

    # ---- the networks --------------------------------------------------------------------------------------------

    @torch.jit.export
    def encode(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to its latent, ``(B, D)`` or ``(B, D, h, w)``."""
        return self.bottleneck.encode(self.encoder(self.unit(image)))

    @torch.jit.export
    def decode(self, latent: Tensor) -> Tensor:
        """Latent to image ``(B, C, S, S)``, in the images' range."""
        return self.decoder(self.bottleneck.decode(latent)) * self.width + self.low

    @torch.jit.export
    def reconstruct(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to what its latent makes of it."""
        return self.decode(self.encode(image))

    @torch.jit.export
    def unit(self, image: Tensor) -> Tensor:
        """Images in ``value_range`` to [0, 1]."""
        return (image - self.low) / self.width

    # ---- scoring -------------------------------------------------------------------------------------------------

    def anomaly_map(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to anomaly map ``(B, 1, S, S)``, float32; its spatial mean is the score."""
        error, distance = self.judge(image)
        error = (error - self.score_mean[0]) / self.score_std[0]
        distance = (distance - self.score_mean[1]) / self.score_std[1]
        return (1.0 - self.gaussian_share) * error + self.gaussian_share * distance

    @torch.jit.export
    def judge(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Image ``(B, C, S, S)`` to the maps of the two terms, each ``(B, 1, S, S)``, float32, not standardized.

        The restoration's error is that of the loss at every place, but for the sum of the scales in the place of their
        product. The distance is one number for the image if the latent is a vector.
        """
        latent = self.encode(image)
        x, y = self.unit(image.float()), self.unit(self.decode(latent).float())
        absolute = (x - y).abs().mean(dim=1, keepdim=True)
        error = self.structure_weight * self.similarity.dissimilarity_map(x, y)
        error = error + (1.0 - self.structure_weight) * absolute
        distance = self.descriptor(latent)
        if distance.dim() == 1:
            return error, distance[:, None, None, None].expand_as(error)
        # not bilinear, which would not keep the mean
        return error, F.interpolate(distance[:, None], [self.image_size, self.image_size], mode="nearest")

    @torch.jit.export
    def score_terms(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to the terms of its score, ``(B, 2)``, standardized; see ``term_names``."""
        return self.standardize(self.raw_scores(image))

    def raw_scores(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to the means of both terms' maps, ``(B, 2)``, not standardized."""
        error, distance = self.judge(image)
        return torch.stack([error.mean(dim=(1, 2, 3)), distance.mean(dim=(1, 2, 3))], dim=1)

    @torch.jit.unused
    def fit_descriptor(self, images: ImageSequence, descriptor: GaussianDescriptor, batch_size: int = 32) -> None:
        """Take center and spread of the latents of normals, in evaluation mode.

        Args:
            images: all training normals ``(N, C, S, S)``, preprocessed, not augmented, on any device. If their latents
                would take more than 512 MiB, as many as take that, evenly spaced: maps of very many images do, whose
                every position is a latent.
            descriptor: what to fit: the detector's own, or one that a training holds fixed for some epochs.
            batch_size: images per forward pass.

        Raises:
            ValueError: with fewer than 2 latents, and where one is not finite.
        """
        device = self.score_mean.device
        with eval_mode(self):  # without gradients, too
            first = self.encode(images[:1].to(device))
            some = evenly_spaced(images, max(2, _LATENT_BYTES // (first.numel() * first.element_size())))
            descriptor.fit(torch.cat([self.encode(part.to(device)) for part in some.split(batch_size)]))

    @torch.jit.unused
    def fit_scores(self, images: ImageSequence, held_out: ImageSequence, batch_size: int = 32) -> None:  # type: ignore[override]
        """Take the Gaussian from training normals, then mean and standard deviation of both terms from others.

        Args:
            images: all training normals ``(N, C, S, S)``, preprocessed, not augmented, on any device.
            held_out: normals that were not trained on, at least 2: those of the training are restored too well, and lie
                closer to their center.
            batch_size: images per forward pass.

        Raises:
            ValueError: with fewer than 2 held-out normals or 2 latents, and where a latent is not finite.
        """
        if len(held_out) < 2:
            raise ValueError(
                f"the terms of the score are scaled by held-out normals, of which there are {len(held_out)}; put at "
                "least 2 normal images into the validation section."
            )
        self.fit_descriptor(images, self.descriptor, batch_size)
        self.fit_statistics(held_out, batch_size)


def _make_encoder(
    image_size: int, in_channels: int, *, kind: str = "attention", **args: Any
) -> AttentionEncoder | ResNetEncoder:
    if kind == "attention":
        return AttentionEncoder(image_size, in_channels, **args)
    if kind == "resnet18":
        return ResNetEncoder(in_channels, **args)
    raise ValueError(f"kind of the encoder must be one of {', '.join(map(repr, ENCODERS))}, got {kind!r}.")


def _make_decoder(detector: OCAD, *, kind: str = "conv", **args: Any) -> ConvDecoder | ResidualDecoder:
    size, channels = detector.image_size, detector.in_channels
    if kind == "residual":
        return ResidualDecoder(size, channels, latent_channels=detector.bottleneck.latent_channels, **args)
    if kind != "conv":
        raise ValueError(f"kind of the decoder must be one of {', '.join(map(repr, DECODERS))}, got {kind!r}.")
    decoder = ConvDecoder(channels, in_channels=detector.encoder.out_channels, **args)
    stages = len(args["channels"]) if "channels" in args else 3
    reached = detector.encoder.out_size * 2**stages * args.get("patch", 1)
    if reached != size:
        raise ValueError(
            f"the decoder leads from maps of {detector.encoder.out_size} to images of {reached} pixels, but image_size "
            f"is {size}; give the decoder as many channels as the encoder has, and its patch."
        )
    return decoder
