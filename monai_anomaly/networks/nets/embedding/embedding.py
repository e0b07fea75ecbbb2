# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from monai_anomaly.networks.blocks.density.pool_share import score_weights
from monai_anomaly.networks.blocks.density.stage_statistics import StageStatistics
from monai_anomaly.networks.nets.embedding.heads import DISTANCES, Heads
from monai_anomaly.networks.nets.embedding.layout import IMAGE, columns, looked_at, stage_places
from monai_anomaly.networks.nets.embedding.locator import Locator
from monai_anomaly.networks.nets.features.backbone import Backbone
from monai_anomaly.networks.nets.standardized_detector import MIN_SPREAD, StandardizedDetector
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["CONTRAST", "DISTANCES_OF_LITE0", "NORMALIZATIONS", "Embedding"]

NORMALIZATIONS = {"z": ("z",), "raw": ("raw",), "both": ("z", "raw")}
"""What the backbone sees: each image at mean 0 and deviation 1, or pixels in the range of its training."""

DISTANCES_OF_LITE0: tuple[dict[str, Any], ...] = (
    {"kind": "mahalanobis", "stages": ["stage5"], "statistics": ["cells"]},
    {
        "kind": "mahalanobis",
        "stages": ["stage3", "stage4", "stage5", "stage6"],
        "statistics": ["mean", "deviation"],
    },
    {"kind": "mahalanobis", "stages": [IMAGE], "statistics": ["grid"]},
    {"kind": "cosine", "stages": ["head"], "statistics": ["mean"]},
)
CONTRAST: dict[str, Any] = {
    "stages": ["stage3", "stage4", "stage5", "stage6"],
    "statistics": ["mean", "deviation"],
}


class Embedding(StandardizedDetector):
    """Features of a frozen backbone, and how far from the normals' and how much like the pool's they are.

    ``forward`` gives the map whose spatial mean is the score; higher is more anomalous. A feature is a number of the
    whole image, and the mean over positions of a map (see :class:`.StageStatistics`). Each score is, at every image, a
    weighted sum of features (see :class:`.Heads`), so that the map of that sum has the score as its mean: nothing is
    approximated. Each score is counted in standard deviations of normals that it was not fitted on; the weighted sum of
    the scores is the image's. Nothing of it is trained by descent: :meth:`fit_heads` and :meth:`fit_joining` solve it.

    That map is exact, and points at lesions badly. With ``location``, ``forward`` gives another one, made to be looked
    at and shifted so that its mean is the same score; see :class:`.Locator`. ``score_map`` gives the exact one always.

    Args:
        image_size: S, height and width of the images, in pixels.
        in_channels: channels of the images, 1 or 3, in [0, 1].
        backbone: name of the network; see :class:`.Backbone`. A new one has random weights; a training gives it others,
            and they travel in the state dict.
        normalization: "z", "raw" or "both", what the backbone sees; "both" is two passes and twice the features.
        distances: ``kind``, ``stages`` ("image" is what the backbone sees) and ``statistics`` of each distance from the
            normals, and further arguments of its class; see ``DISTANCES``. The default is for EfficientNet-Lite0.
        contrast: the same, without a kind, of the contrast of normals and pool; see :class:`.PoolContrast`.
        location: ``input`` ("z" or "raw"), ``stages`` and ``segmenter_stages`` of the map that is shown, and further
            arguments of :class:`.Locator`; None shows the map of the score.
        segmenter: whether a segmenter has a part in the map that is shown.

    Attributes:
        score_weights: ``(R,)``, of the standardized scores in their sum, the contrast's last.

    Raises:
        ConfigError: on an argument outside its range.
        ValueError: in ``forward``, on an image of another shape.

    Example:
        >>> detector = Embedding(32).eval()
        >>> detector(torch.rand(2, 1, 32, 32)).shape
        torch.Size([2, 1, 32, 32])
    """

    def __init__(
        self,
        image_size: int = 128,
        in_channels: int = 1,
        *,
        backbone: str = "efficientnet_lite0",
        normalization: str = "z",
        distances: Sequence[Mapping[str, Any]] = DISTANCES_OF_LITE0,
        contrast: Mapping[str, Any] = CONTRAST,
        location: Mapping[str, Any] | None = None,
        segmenter: bool = False,
    ) -> None:
        super().__init__(image_size, in_channels, raw_scores=len(distances) + 1)
        if in_channels not in (1, 3):
            raise ConfigError(f"channels must be 1 or 3, got {in_channels}.")
        if normalization not in NORMALIZATIONS:
            known = ", ".join(map(repr, NORMALIZATIONS))
            raise ConfigError(f"normalization must be one of {known}, got {normalization!r}.")
        for options in distances:
            if options.get("kind") not in DISTANCES:
                known = ", ".join(map(repr, DISTANCES))
                raise ConfigError(f"kind of each of the distances must be one of {known}, got {options.get('kind')!r}.")
        self.inputs = list(NORMALIZATIONS[normalization])
        self.backbone = Backbone(backbone, image_size=image_size)
        stages = (IMAGE, *self.backbone.stages)
        named = [*((f"distance {i + 1}", options) for i, options in enumerate(distances)), ("the contrast", contrast)]
        parts_of = [looked_at(name, options, passes=len(self.inputs), known=stages) for name, options in named]
        parts = list(dict.fromkeys(part for each in parts_of for part in each))
        channels = [in_channels, *self.backbone.stage_channels.values()] * len(self.inputs)
        places = [(i * len(stages) + stages.index(stage), statistic) for i, stage, statistic in parts]
        self.statistics = StageStatistics(places, channels)
        sizes = self.statistics.sizes
        self.heads = Heads(
            [columns(parts, each, sizes) for each in parts_of],
            sum(sizes),
            distances=[_of_the_class(options) for options in distances],
            contrast=_of_the_class(contrast),
        )
        # before any fit the distances count alike, and the contrast, which is nothing then, does not
        self.register_buffer("score_weights", torch.tensor([1.0] * len(distances) + [0.0]))
        self.score_weights: Tensor
        if segmenter and location is None:
            raise ConfigError("a segmenter needs location, the map that it has a part in; set segmenter to false.")
        located = "z" if location is None else str(location["input"])
        if located not in ("z", "raw"):
            raise ConfigError(f"input of location must be 'z' or 'raw', got {located!r}.")
        self.locates_raw = located == "raw"
        self.shown_inputs = self.inputs if located in self.inputs else [*self.inputs, located]
        self.located_from = self.shown_inputs.index(located) * len(stages) + 1
        self.locator = None if location is None else self._make_locator(location, segmenter)

    @torch.no_grad()
    def _make_locator(self, location: Mapping[str, Any], segmenter: bool) -> Locator:
        outputs = self.located_stages(torch.zeros(1, self.in_channels, self.image_size, self.image_size))
        options = {key: value for key, value in location.items() if key != "input"}
        distances = stage_places("stages", options.pop("stages"), self.backbone.stages)
        segments = stage_places("segmenter_stages", options.pop("segmenter_stages", []), self.backbone.stages)
        return Locator(
            [output.shape[1] for output in outputs],
            [(output.shape[2], output.shape[3]) for output in outputs],
            distances=distances,
            segments=segments if segmenter else [],
            **options,
        )

    # ---- features ------------------------------------------------------------------------------------------------

    @torch.jit.export
    def stages(self, image: Tensor) -> list[Tensor]:
        """Image ``(B, C, S, S)`` to what the backbone sees and its stages ``(B, c, h, w)``, for each such thing."""
        return self._stages_of(image, self.inputs)

    def _stages_of(self, image: Tensor, inputs: list[str]) -> list[Tensor]:
        """Return what the backbone sees and its stages for each of the inputs, in one pass."""
        seen: list[Tensor] = []
        for name in inputs:
            seen.append(self.backbone.z_scored(image) if name == "z" else self.backbone.normalized(image))
        outputs = self.backbone(torch.cat(seen))  # one pass of twice the images takes a fifth less time than two
        found: list[Tensor] = []
        for i in range(len(seen)):
            found.append(seen[i][:, : self.in_channels])  # a gray image is there three times
            for stage in outputs:
                found.append(stage.unflatten(0, (len(seen), -1))[i])
        return found

    @torch.jit.export
    def located_stages(self, image: Tensor) -> list[Tensor]:
        """Image ``(B, C, S, S)`` to the backbone's stages ``(B, c, h, w)`` that the locator looks at."""
        seen = self.backbone.normalized(image) if self.locates_raw else self.backbone.z_scored(image)
        return self.backbone(seen)

    @torch.jit.export
    def features(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to its features ``(B, D)``, float32."""
        return self.statistics(self.stages(image))

    # ---- scoring -------------------------------------------------------------------------------------------------

    def raw_scores(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to the heads' scores ``(B, R)``, as they are, float32."""
        return self.heads(self.features(image))[0]

    def anomaly_map(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to anomaly map ``(B, 1, S, S)``, float32; its spatial mean is the score."""
        if self.locator is None:
            return self.score_map(image)
        stages = self._stages_of(image, self.shown_inputs)  # the score's, and then the locator's own where it has one
        score = self.joined(self.standardize(self.heads(self.statistics(stages))[0]))
        own = stages[self.located_from : self.located_from + len(self.backbone.stages)]
        return self.shift_to_score(self.locator(own, self.image_size), score)

    @torch.jit.export
    def score_map(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to the map ``(B, 1, S, S)`` of the score itself, its mean but for a constant."""
        stages = self.stages(image)
        raw, each = self.heads(self.statistics(stages))
        score = self.joined(self.standardize(raw))
        size = [self.image_size, self.image_size]
        activation = self.statistics.activation(stages, self.feature_weights(each), size)
        # The map has the score as its mean already, but for a constant, and for resizing by no whole number.
        return self.shift_to_score(activation, score)

    @torch.jit.export
    def joined(self, scores: Tensor) -> Tensor:
        """Standardized scores ``(B, R)`` to their sum ``(B,)``."""
        return (scores * self.score_weights).sum(dim=1)

    @torch.jit.export
    def feature_weights(self, each: list[Tensor]) -> Tensor:
        """Weights of the features ``(B, D)`` in each head's score to those in the joined one ``(B, D)``."""
        scale = self.score_weights / self.score_std
        total = torch.zeros_like(each[0])
        for i, weights in enumerate(each):
            total = total + scale[i] * weights
        return total

    # ---- solving -------------------------------------------------------------------------------------------------

    @torch.jit.unused
    def fit_heads(self, normals: Tensor, pool: Tensor) -> None:
        """Fit the heads on features ``(N, D)`` of normals and ``(M, D)`` of a pool, on the CPU; M may be 0."""
        fitted = copy.deepcopy(self.heads).cpu()
        fitted.fit(normals, pool)
        self.heads.load_state_dict(fitted.state_dict())

    @torch.jit.unused
    def fit_joining(self, normals: Tensor, pool: Tensor) -> tuple[Tensor, float | None]:
        """Set the scale of the heads' scores and their weights.

        Args:
            normals: scores ``(N, R)`` of normals that the heads have not seen.
            pool: scores ``(M, R)`` of images of the pool that the heads have not seen; M may be 0.

        Returns:
            the joined scores of the normals ``(N,)``, and the estimated share of abnormal images in the pool.
        """
        mean, std = normals.mean(dim=0), normals.std(dim=0, correction=0) + MIN_SPREAD
        standardized = (normals - mean) / std
        weights, share = score_weights(standardized, (pool - mean) / std)
        self.score_mean.copy_(mean)
        self.score_std.copy_(std)
        self.score_weights.copy_(weights)
        return (standardized * weights).sum(dim=1), share


def _of_the_class(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that the class of a head takes."""
    return {key: value for key, value in options.items() if key not in ("stages", "statistics")}
