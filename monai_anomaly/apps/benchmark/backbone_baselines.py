# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Known detectors on the features of a frozen network that was trained on other images: PaDiM, PatchCore, neighbors.

The network is EfficientNet-Lite0 with the weights for ImageNet that the extra ``pretrained`` installs. It takes gray
images of 128 pixels on the scale that it was trained on; for the neighbors each image is z-scored. What is random has a
fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from monai_anomaly.apps.benchmark.patch_detectors import PaDiM, PatchCore, top_mean
from monai_anomaly.networks.nets.features.backbone import Backbone
from monai_anomaly.utils.stopwatch import Span, Stopwatch

__all__ = ["IMAGE_SIZE", "STAGES", "PatchFeatures", "backbone_rows", "cosine_scores", "patch_features"]

IMAGE_SIZE = 128
STAGES = ("stage2", "stage3", "stage5", "head")
"""Strides 4, 8 and 16, as the published layers have them, and the end."""

_BATCH = 16


class PatchFeatures(NamedTuple):
    """What the detectors look at, of B images."""

    stacked: torch.Tensor
    """Stages 2, 3 and 5 on the grid of stage 3, ``(B, P, 176)``, for PaDiM."""
    local: torch.Tensor
    """Stages 3 and 5, each the mean of 3 x 3 places, ``(B, P, 152)``, for PatchCore."""
    pooled: torch.Tensor
    """The mean of the head's features of the z-scored image, ``(B, 1280)``, for the neighbors."""


def patch_features(backbone: Backbone, images: torch.Tensor) -> PatchFeatures:
    """Return the features of gray images.

    Args:
        backbone: with the stages :data:`STAGES`.
        images: ``(B, 1, H, W)`` in [0, 1].
    """
    second, third, fifth, _ = backbone(backbone.normalized(images))
    grid = (third.shape[2], third.shape[3])
    stacked = torch.cat([F.adaptive_avg_pool2d(second, grid), third, _enlarged(fifth, grid)], dim=1)
    around = [F.avg_pool2d(stage, 3, stride=1, padding=1, count_include_pad=False) for stage in (third, fifth)]
    local = torch.cat([around[0], _enlarged(around[1], grid)], dim=1)
    head = backbone(backbone.z_scored(images))[3]
    return PatchFeatures(_as_patches(stacked), _as_patches(local), head.mean(dim=(2, 3)))


def _enlarged(stage: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    return F.interpolate(stage, grid, mode="bilinear", align_corners=False)


def _as_patches(features: torch.Tensor) -> torch.Tensor:
    return features.flatten(2).transpose(1, 2).contiguous()


def cosine_scores(normals: torch.Tensor, test: torch.Tensor, neighbors: int = 5) -> torch.Tensor:
    """Return the mean cosine distance to the nearest normals, ``(M,)``.

    Args:
        normals: ``(N, D)``.
        test: ``(M, D)``.
        neighbors: how many.
    """
    likeness = F.normalize(test) @ F.normalize(normals).T
    return 1 - likeness.topk(min(neighbors, len(normals)), dim=1).values.mean(dim=1)


@torch.inference_mode()
def backbone_rows(
    backbone: Backbone, train: torch.Tensor, test: torch.Tensor, took: Callable[..., dict[str, float]]
) -> list[dict[str, Any]]:
    """Return a row for each detector, with ``scores`` of the test images, or the ``reason`` why it has none.

    Images go through in batches, and no features are kept but a coreset of patches and the normals' pooled ones.

    Args:
        backbone: with the stages :data:`STAGES`.
        train: normals, ``(N, 1, S, S)`` in [0, 1].
        test: ``(M, 1, S, S)``.
        took: makes a row's times of spans.
    """
    first = patch_features(backbone, train[:1])
    padim, patchcore = PaDiM(first.stacked.shape[2], first.stacked.shape[1]), PatchCore(len(train))
    clock = _Clock()
    pooled = []
    for features in _batches(backbone, train, clock):
        clock.run("PaDiM", padim.add, features.stacked)
        clock.run("PatchCore", patchcore.add, features.local)
        pooled.append(features.pooled)
    reason = _fit_error(padim, clock)
    clock.run("PatchCore", patchcore.fit)
    normals = torch.cat(pooled)
    scores: dict[str, list[torch.Tensor]] = {"mean": [], "top": [], "PatchCore": [], "neighbors": []}
    for features in _batches(backbone, test, clock):
        if not reason:
            distances = clock.run("PaDiM", padim.distances, features.stacked)
            scores["mean"].append(distances.mean(dim=1))
            scores["top"].append(top_mean(distances, 0.05))
        scores["PatchCore"].append(clock.run("PatchCore", patchcore.scores, features.local))
        scores["neighbors"].append(clock.run("neighbors", cosine_scores, normals, features.pooled))
    named = {
        "mean": ("PaDiM, mean, Lite0", "PaDiM"),
        "top": ("PaDiM, top 5 %, Lite0", "PaDiM"),
        "PatchCore": ("PatchCore, Lite0", "PatchCore"),
        "neighbors": ("nearest neighbors, Lite0", "neighbors"),
    }
    rows = []
    for key, (name, timed) in named.items():
        row = {"method": name, "kind": "baseline", "oracle": "", **took(*clock.spans["features"], *clock.spans[timed])}
        rows.append(row | ({"scores": torch.cat(scores[key])} if scores[key] else {"reason": reason}))
    return rows


class _Clock:
    """How long each detector takes, in pieces."""

    def __init__(self) -> None:
        self.spans: dict[str, list[Span]] = {"features": [], "PaDiM": [], "PatchCore": [], "neighbors": []}

    def run(self, name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        watch = Stopwatch()
        try:
            return work(*arguments)
        finally:
            self.spans[name].append(watch.read())


def _batches(backbone: Backbone, images: torch.Tensor, clock: _Clock) -> Iterator[PatchFeatures]:
    for batch in images.split(_BATCH):
        yield clock.run("features", patch_features, backbone, batch)


def _fit_error(padim: PaDiM, clock: _Clock) -> str:
    """Fit, and return why that cannot be done, or an empty text."""
    try:
        clock.run("PaDiM", padim.fit)
    except ValueError as error:  # a single normal
        return str(error)
    return ""
