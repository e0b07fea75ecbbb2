# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from monai_anomaly.networks.nets.embedding.heads import HEADS, Heads
from monai_anomaly.networks.nets.embedding.joining import Joining, joining_rule
from monai_anomaly.networks.nets.features.backbone import Backbone
from monai_anomaly.networks.nets.standardized_detector import MIN_SPREAD, StandardizedDetector

__all__ = ["NORMALIZATIONS", "Embedding"]

NORMALIZATIONS = {"raw": ("raw",), "z": ("z",), "both": ("raw", "z")}
"""Inputs of the backbone: pixels in the range of its training, or each image at mean 0 and deviation 1."""

_LITE0_HEADS: dict[str, dict[str, Any]] = {
    "mahalanobis": {"input": "raw", "stages": ["stage2", "stage3", "stage4", "stage5", "stage6", "stage7"]},
    "cosine": {"input": "z", "stages": ["head"]},
    "contrast": {"input": "z", "stages": ["stage3", "stage4", "stage5", "stage6"]},
}


class Embedding(StandardizedDetector):
    """Features of a frozen backbone, and how far from the normals' and how much like the pool's they are.

    ``forward`` gives the map whose spatial mean is the score; higher is more anomalous. The features are means over
    positions, and each score is linear in them at every image (see :class:`.Heads`), so that the map of the same linear
    function at each position has the score as its mean: nothing is approximated. Each score is counted in standard
    deviations of normals that it was not fitted on, and joined with the others by a rule of the training; see
    :class:`.Joining`. Nothing here is trained by descent: :meth:`.Heads.fit` solves it.

    Args:
        image_size: S, height and width of the images, in pixels.
        in_channels: channels of the images, 1 or 3, in [0, 1].
        backbone: name of the backbone; see :class:`.Backbone`. A new one has random weights; a training
            gives it others, and they travel in the state dict.
        normalization: "raw", "z" or "both", what the backbone sees; "both" is two passes, and each head then says which
            it looks at.
        mahalanobis: ``input`` and ``stages`` of the Mahalanobis distance, and further arguments of its head.
        cosine: the same of the cosine distance to the nearest normals.
        contrast: the same of the logistic regression of normals and pool.

    Raises:
        ValueError: on an argument outside its range, and in ``forward`` on an image of another shape.

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
        normalization: str = "both",
        mahalanobis: Mapping[str, Any] | None = None,
        cosine: Mapping[str, Any] | None = None,
        contrast: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(image_size, in_channels, raw_scores=len(HEADS))
        if in_channels not in (1, 3):
            raise ValueError(f"in_channels must be 1 or 3, got {in_channels}; set channels.")
        if normalization not in NORMALIZATIONS:
            known = ", ".join(map(repr, NORMALIZATIONS))
            raise ValueError(f"normalization must be one of {known}, got {normalization!r}.")
        self.backbone = Backbone(backbone)
        given = {"mahalanobis": mahalanobis, "cosine": cosine, "contrast": contrast}
        asked = {name: dict(given[name] or _LITE0_HEADS[name]) for name in HEADS}
        inputs = NORMALIZATIONS[normalization]
        looked_at = {name: _looked_at(name, asked[name], inputs, self.backbone.stages) for name in HEADS}
        stages = {  # of each input, in the backbone's order
            each: [stage for stage in self.backbone.stages if any((each, stage) in part for part in looked_at.values())]
            for each in inputs
        }
        self.raw_stages = [self.backbone.stages.index(stage) for stage in stages.get("raw", [])]
        self.z_stages = [self.backbone.stages.index(stage) for stage in stages.get("z", [])]
        parts = [(each, stage) for each in inputs for stage in stages[each]]
        self.channels = [self.backbone.stage_channels[stage] for _, stage in parts]
        columns = {name: _columns(looked_at[name], parts, self.channels) for name in HEADS}
        self.heads = Heads(columns, sum(self.channels), asked)
        self.joining = Joining(len(HEADS))

    # ---- features ------------------------------------------------------------------------------------------------

    @torch.jit.export
    def features(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to its features ``(B, D)``, float32: means over the positions of all stages."""
        return self._pooled(self._stages(image))

    def _stages(self, image: Tensor) -> list[Tensor]:
        """Return outputs ``(B, c, h, w)`` of the stages that are looked at, for each input."""
        found: list[Tensor] = []
        if len(self.raw_stages) > 0:
            outputs = self.backbone(self.backbone.normalized(image))
            for i in self.raw_stages:
                found.append(outputs[i].float())
        if len(self.z_stages) > 0:
            outputs = self.backbone(self.backbone.z_scored(image))
            for i in self.z_stages:
                found.append(outputs[i].float())
        return found

    def _pooled(self, stages: list[Tensor]) -> Tensor:
        return torch.cat([stage.mean(dim=(2, 3)) for stage in stages], dim=1)

    # ---- scoring -------------------------------------------------------------------------------------------------

    def raw_scores(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to the heads' scores ``(B, R)``, as they are, float32."""
        return self.heads(self.features(image))[0]

    def anomaly_map(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to anomaly map ``(B, 1, S, S)``, float32; its spatial mean is the score."""
        stages = self._stages(image)
        raw, each = self.heads(self._pooled(stages))
        score, mix = self.joining(self.standardize(raw))
        mix = mix / self.score_std
        weights = torch.zeros_like(each[0])
        for i, part in enumerate(each):
            weights = weights + mix[:, i : i + 1] * part
        # The linear map has the score as its mean already, but for its constant.
        return self.shift_to_score(self._activation(stages, weights), score)

    @torch.jit.unused
    def fit_heads(self, normals: Tensor, pool: Tensor) -> None:
        """Fit the heads on features ``(N, D)`` of normals and ``(M, D)`` of a pool, on the CPU; M may be 0."""
        fitted = copy.deepcopy(self.heads).cpu()
        fitted.fit(normals, pool)
        self.heads.load_state_dict(fitted.state_dict())

    @torch.jit.unused
    def fit_joining(self, normals: Tensor, pool: Tensor) -> Tensor:
        """Set the scale of the heads' scores and the rule that joins them.

        Args:
            normals: scores ``(N, R)`` of normals that the heads have not seen.
            pool: scores ``(M, R)`` of images of the pool that the heads have not seen; M may be 0.

        Returns:
            the joined scores of the normals ``(N,)``.
        """
        self.score_mean.copy_(normals.mean(dim=0))
        self.score_std.copy_(normals.std(dim=0, correction=0) + MIN_SPREAD)
        self.joining.sums.copy_(joining_rule(len(pool) > 0))
        mean, std = self.score_mean.cpu(), self.score_std.cpu()
        return copy.deepcopy(self.joining).cpu()((normals - mean) / std)[0]

    def _activation(self, stages: list[Tensor], weights: Tensor) -> Tensor:
        """Return the linear function of ``weights`` ``(B, D)`` at each position, without its constant."""
        size = [self.image_size, self.image_size]
        total = torch.zeros_like(weights[:, :1, None, None])
        for stage, part in zip(stages, weights.split(self.channels, dim=1)):  # noqa: B905  TorchScript has no strict
            found = (stage * part[:, :, None, None]).sum(dim=1, keepdim=True)
            total = total + F.interpolate(found, size, mode="bilinear", align_corners=False)
        return total.float()


def _looked_at(
    name: str, options: dict[str, Any], inputs: tuple[str, ...], known: tuple[str, ...]
) -> list[tuple[str, str]]:
    """Return the pairs of input and stage of a head, and take them out of its options."""
    stages, chosen = list(options.pop("stages")), options.pop("input")
    if not stages or set(stages) - set(known):
        raise ValueError(f"{name}: stages must be some of {', '.join(known)}, got {stages}.")
    if chosen not in NORMALIZATIONS:
        raise ValueError(f"{name}: input must be one of {', '.join(map(repr, NORMALIZATIONS))}, got {chosen!r}.")
    wanted = [each for each in NORMALIZATIONS[chosen] if each in inputs] or list(inputs)
    return [(each, stage) for each in wanted for stage in known if stage in stages]


def _columns(looked_at: list[tuple[str, str]], parts: list[tuple[str, str]], channels: list[int]) -> list[int]:
    starts = [sum(channels[:i]) for i in range(len(parts))]
    return [
        start + i
        for part, start, count in zip(parts, starts, channels, strict=True)
        if part in looked_at
        for i in range(count)
    ]
