# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_anomaly.networks.nets.simsid.generators import make_generator
from monai_anomaly.networks.nets.simsid.image_discriminator import ImageDiscriminator
from monai_anomaly.networks.nets.simsid.map_discriminator import MapDiscriminator
from monai_anomaly.networks.nets.standardized_detector import StandardizedDetector

__all__ = ["OUTPUTS", "POOLINGS", "SCORES", "SimSID"]

OUTPUTS = ("sigmoid", "tanh", "none")
POOLINGS = ("mean", "focal", "either")
SCORES = ("recon_logit", "logit_difference", "recon_mse", "feature_distance", "map_logit")


class SimSID(StandardizedDetector):
    """Detector of SimSID and SQUID: an image is painted anew from memories of normal anatomy, and the result is judged.

    ``forward`` gives the map whose spatial mean is the score; higher is more anomalous. The score is in standard
    deviations of the training normals once :meth:`~.StandardizedDetector.fit_scores` has seen them; mean and deviation
    are buffers. All that scoring needs is in the state dict: memories, discriminator, statistics. The teacher is not
    part of it.

    Args:
        image_size: height and width of the images, in pixels.
        in_channels: channels of the images.
        generator: ``kind`` and arguments of a generator, see :func:`.make_generator`.
        discriminator: arguments of the :class:`.ImageDiscriminator`, or of the :class:`.MapDiscriminator` for
            ``score="map_logit"``, which sees the image and the picture painted from the memories.
        output: activation of the pictures: "sigmoid" for images in [0, 1]; "tanh" if the networks are to work in
            [-1, 1] (images are still in [0, 1]); "none" for images of any range, such as z-scored ones.
        score: what is judged, before it is standardized.

            - "recon_logit", as published: how unreal the discriminator finds the picture;
            - "logit_difference": how much more real it finds the image than the picture;
            - "recon_mse": the squared difference of the two;
            - "feature_distance": the squared difference of the features and the painted ones;
            - "map_logit": the logits of the :class:`.MapDiscriminator`.
        pooling: how a score of the last three kinds sums up its map.

            - "mean", which suits disease that is spread out;
            - "focal": ``T log mean exp(map / T)``, a smooth maximum, which suits disease in one place;
            - "either": the larger of the two, each standardized, for when it may be both.
        temperature: T, in units of the map: towards the mean if large, towards the maximum if small.
        bounded: squeeze the standardized score into (0, 1) by a logistic function, as published. It orders images the
            same, but ties those of more than about 14 deviations.

    Raises:
        ValueError: on an argument outside its range, and in ``forward`` on an image of another shape.

    Source: SQUID (Xiang et al., CVPR 2023, https://arxiv.org/abs/2111.13495); SimSID (Xiang et al., TPAMI 2024,
    https://arxiv.org/abs/2403.08689), whose equation of the score lacks a minus sign: a logit is high for a normal.

    Example:
        >>> generator = {"kind": "unet", "channels": (4, 8, 16), "skips": 1, "slots": 8, "token_channels": 4}
        >>> detector = SimSID(32, generator=generator, discriminator={"channels": (4, 8)}).eval()
        >>> detector(torch.rand(2, 1, 32, 32)).shape
        torch.Size([2, 1, 32, 32])
    """

    def __init__(
        self,
        image_size: int = 128,
        in_channels: int = 1,
        *,
        generator: Mapping[str, Any] | None = None,
        discriminator: Mapping[str, Any] | None = None,
        output: str = "sigmoid",
        score: str = "recon_logit",
        pooling: str = "mean",
        temperature: float = 0.5,
        bounded: bool = False,
    ) -> None:
        super().__init__(image_size, in_channels, raw_scores=2 if pooling == "either" else 1)
        if output not in OUTPUTS:
            raise ValueError(f"output must be one of {', '.join(map(repr, OUTPUTS))}, got {output!r}.")
        if score not in SCORES:
            raise ValueError(f"score must be one of {', '.join(map(repr, SCORES))}, got {score!r}.")
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {', '.join(map(repr, POOLINGS))}, got {pooling!r}.")
        if not 0.0 < temperature < float("inf"):
            raise ValueError(f"temperature must be positive, got {temperature}.")
        self.maps_score = score not in ("recon_logit", "logit_difference")  # the score is one of the map
        if pooling != "mean" and not self.maps_score:
            raise ValueError(f"score {score!r} is one number for an image; leave pooling at 'mean', got {pooling!r}.")
        self.output = output
        self.score = score
        self.bounded = bounded
        self.pooling = pooling
        self.temperature = float(temperature)
        self.generator = make_generator(image_size=image_size, in_channels=in_channels, **(generator or {}))
        self.discriminator: nn.Module = (
            MapDiscriminator(2 * in_channels, **(discriminator or {}))
            if score == "map_logit"
            else ImageDiscriminator(image_size, in_channels, **(discriminator or {}))
        )

    # ---- between images and the networks' range ------------------------------------------------------------------

    @torch.jit.export
    def signal(self, image: Tensor) -> Tensor:
        """Images as the networks take them."""
        return 2.0 * image - 1.0 if self.output == "tanh" else image

    @torch.jit.export
    def unsignal(self, x: Tensor) -> Tensor:
        """Pictures in the networks' range to the images'."""
        return (x + 1.0) / 2.0 if self.output == "tanh" else x

    @torch.jit.export
    def picture(self, logits: Tensor) -> Tensor:
        """Return a decoder's logits to a picture, in the networks' range."""
        if self.output == "sigmoid":
            return torch.sigmoid(logits)
        return torch.tanh(logits) if self.output == "tanh" else logits

    # ---- scoring -------------------------------------------------------------------------------------------------

    @torch.jit.export
    def reconstruct(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to what the memories make of it, in the images' range."""
        return self.unsignal(self.picture(self.generator(self.signal(image))))

    def anomaly_map(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to anomaly map ``(B, 1, S, S)``, float32; its spatial mean is the score."""
        anomaly, raw = self.judge(image)
        if self.maps_score:
            anomaly = anomaly / self.score_std[0]
        score = self.standardize(raw).amax(dim=1)
        if self.bounded:
            score = torch.sigmoid(score)
        return self.shift_to_score(anomaly, score)

    def raw_scores(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to what is standardized for the score; see :meth:`judge`."""
        return self.judge(image)[1]

    @torch.jit.export
    def judge(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Image ``(B, C, S, S)`` to a map ``(B, 1, S, S)`` and what is standardized for the score, float32.

        That is ``(B, 1)``, or ``(B, 2)`` for the pooling "either", of which the larger counts.

        Where the discriminator gives one number for an image, the map is the absolute difference of image and picture.
        """
        x = self.signal(image)
        features = self.generator.encode(x)
        painted, _ = self.generator.inpaint(features)
        picture = self.picture(self.generator.decode(painted)[-1])
        if self.score == "map_logit":
            anomaly = self.discriminator(torch.cat([x, picture], dim=1)).float()
        elif self.score == "feature_distance":
            anomaly = self._feature_distance(features[-1].float(), painted[-1].float())
        elif self.score == "recon_mse":
            anomaly = (x.float() - picture.float()).square().mean(dim=1, keepdim=True)
        else:
            anomaly = (x.float() - picture.float()).abs().mean(dim=1, keepdim=True)
        if self.score == "recon_logit":
            raw = -self.discriminator(picture).unsqueeze(1)
        elif self.score == "logit_difference":
            raw = (self.discriminator(x) - self.discriminator(picture)).unsqueeze(1)
        else:
            raw = self._pool(anomaly.flatten(1))
        return anomaly, raw.float()

    def _pool(self, pixels: Tensor) -> Tensor:
        """Map ``(B, pixels)`` to what sums them up, ``(B, 1)`` or, for "either", ``(B, 2)``."""
        mean = pixels.mean(dim=1, keepdim=True)
        if self.pooling == "mean":
            return mean
        log_sum = (pixels / self.temperature).logsumexp(dim=1, keepdim=True)
        focal = self.temperature * (log_sum - 2.0 * math.log(self.image_size))
        return focal if self.pooling == "focal" else torch.cat([focal, mean], dim=1)

    def _feature_distance(self, features: Tensor, painted: Tensor) -> Tensor:
        """Squared difference per position of the patches' features, resized to the image."""
        distance = (features - painted).square()
        patches = self.generator.patches
        if distance.dim() == 3:  # tokens (B, P, D)
            maps = distance.mean(dim=2)[:, :, None, None, None]
        else:  # maps of patches (B * P, C, h, w)
            maps = distance.mean(dim=1, keepdim=True).unflatten(0, (-1, patches.locations))
        size = [self.image_size, self.image_size]
        # not bilinear, which would not keep the mean
        return F.interpolate(patches.merge(maps), size=size, mode="nearest")
