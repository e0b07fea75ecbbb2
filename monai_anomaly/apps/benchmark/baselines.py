# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What any method must beat: classical detectors, known ones on pretrained features, and single numbers of an image.

The classical ones are made of scikit-learn and scikit-image, look at the same training normals and test images as the
bundles, through the same preprocessing (64 pixels, gray), draw nothing at random and take seconds. Those on pretrained
features are in :mod:`monai_anomaly.apps.benchmark.backbone_baselines`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import laplace
from skimage.feature import hog
from skimage.measure import shannon_entropy
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from monai_anomaly.apps.benchmark.backbone_baselines import IMAGE_SIZE, STAGES, backbone_rows
from monai_anomaly.apps.benchmark.studies import Studies
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.frame_items import expand_frames
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.networks.nets.features.backbone import make_backbone
from monai_anomaly.transforms.intensity import NormalizeImage
from monai_anomaly.transforms.preprocessing import Preprocessing
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.exceptions import WeightsError
from monai_anomaly.utils.stopwatch import Span, Stopwatch

__all__ = [
    "DETECTORS",
    "FEATURES",
    "STATISTICS",
    "hog_features",
    "mahalanobis_scores",
    "neighbor_scores",
    "pixel_features",
    "reconstruction_scores",
    "score_baselines",
]

MOST_NORMALS = 2000
"""Training normals that are fitted, evenly spaced over the list: keeps a baseline in seconds on any data."""

Floats = npt.NDArray[np.float64]


def pixel_features(images: Floats) -> Floats:
    """Each image's pixels with mean 0 and standard deviation 1, ``(N, H * W)``.

    Args:
        images: ``(N, H, W)`` in [0, 1].
    """
    normalize = NormalizeImage("zscore")
    return np.stack([normalize(torch.from_numpy(image)[None]).numpy().ravel() for image in images])


def hog_features(images: Floats) -> Floats:
    """Histograms of oriented gradients: 9 directions, cells of 8 x 8 pixels, blocks of 2 x 2 cells.

    Args:
        images: ``(N, H, W)`` in [0, 1].
    """
    return np.stack([hog(image, 9, (8, 8), (2, 2), block_norm="L2-Hys") for image in images])


def reconstruction_scores(train: Floats, test: Floats) -> Floats:
    """Mean squared error of the reconstruction from the principal components that hold 95 % of the normals' variance.

    Args:
        train: features of normals, ``(N, D)``.
        test: features to score, ``(M, D)``.
    """
    pca = PCA(0.95, svd_solver="full").fit(train)
    return np.square(test - pca.inverse_transform(pca.transform(test))).mean(axis=1)


def mahalanobis_scores(train: Floats, test: Floats) -> Floats:
    """Squared Mahalanobis distance with Ledoit and Wolf's shrunk covariance.

    The same as scikit-learn's ``LedoitWolf().fit(train).mahalanobis(test)``, which inverts a matrix of ``D x D``
    (minutes for 4,096 pixels), by way of the components of the ``N`` normals: beside them the covariance is constant.

    Args:
        train: features of normals, ``(N, D)``.
        test: features to score, ``(M, D)``.
    """
    shrinkage = ledoit_wolf_shrinkage(train)
    pca = PCA(svd_solver="full").fit(train)
    variance = np.square(pca.singular_values_) / len(train)
    floor = shrinkage * variance.sum() / train.shape[1]
    inside = pca.transform(test)
    outside = np.square(test - pca.inverse_transform(inside)).sum(axis=1)
    tiny = np.finfo(np.float64).tiny
    return (np.square(inside) / np.maximum((1 - shrinkage) * variance + floor, tiny)).sum(axis=1) + outside / max(
        floor, tiny
    )


def neighbor_scores(train: Floats, test: Floats) -> Floats:
    """Mean Euclidean distance to the five nearest normals.

    Args:
        train: features of normals, ``(N, D)``.
        test: features to score, ``(M, D)``.
    """
    search = NearestNeighbors(n_neighbors=min(5, len(train))).fit(train)
    return search.kneighbors(test)[0].mean(axis=1)


FEATURES: Mapping[str, Callable[[Floats], Floats]] = {"pixels": pixel_features, "HOG": hog_features}

DETECTORS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "PCA": reconstruction_scores,
    "Mahalanobis": mahalanobis_scores,
    "nearest neighbors": neighbor_scores,
}

STATISTICS: Mapping[str, Callable[[Floats], float]] = {
    "mean": lambda image: float(image.mean()),
    "standard deviation": lambda image: float(image.std()),
    "entropy": lambda image: float(shannon_entropy((image * 255).round().astype(np.uint8))),
    "sharpness": lambda image: float(laplace(image).var()),
    "mean gradient": lambda image: float(np.hypot(*np.gradient(image)).mean()),
    "share of dark pixels": lambda image: float((image < 0.1).mean()),
    "share of bright pixels": lambda image: float((image > 0.9).mean()),
}
"""Numbers of a picture ``(H, W)`` in [0, 1]. ``rows``, ``columns`` and ``colored`` of the file come beside them."""


def score_baselines(
    dataset_dir: str | Path, abnormal_folders: Sequence[str] = (), *, backbone_weights: str | None = None
) -> dict[str, Any]:
    """All baselines of a data set.

    Args:
        dataset_dir: as in :func:`monai_anomaly.data.lists.datalist.load_datalist`.
        abnormal_folders: as there.
        backbone_weights: as in :func:`~monai_anomaly.networks.nets.features.backbone.load_backbone_weights`.

    Returns:
        ``names``, ``labels`` and ``groups`` of the test images that could be read, ``n_rejected`` of those that could
        not, ``n_fitted`` normals, and ``rows``: for each baseline ``method``, ``kind``, ``scores`` or ``reason``,
        ``seconds`` and ``cpu_seconds`` (with the reading of the images) and ``oracle``, what test labels chose.
        ``left_out`` says why those on pretrained features are not there, and is empty when they are.
    """
    watch = Stopwatch()
    options: dict[str, Any] = {"abnormal_folders": abnormal_folders}
    normals = load_datalist(dataset_dir, "training", **options)
    tested = load_datalist(dataset_dir, "test", require_both=True, **options)
    (normal_images, _), (test_images, items) = _read_pictures(normals, 0.05), _read_pictures(tested, 1.0)
    train, test = _as_pixels(_fitted(normal_images)), _as_pixels(test_images)
    studies = Studies(items)
    reading = watch.read()
    rows = _detector_rows(train, test, studies, reading)
    left_out = ""
    try:
        rows += _backbone_rows(normals, tested, studies, backbone_weights)
    except WeightsError as error:
        left_out = f"PaDiM, PatchCore and nearest neighbors on pretrained features are left out: {error}"
    rows += _statistic_rows(test, items, studies, reading)
    facts = {"n_fitted": len(train), "n_rejected": len(tested) - len(studies.names), "left_out": left_out}
    return {"names": studies.names, "labels": studies.labels, "groups": studies.groups, **facts, "rows": rows}


def _read_pictures(
    data: Sequence[Mapping[str, Any]], max_bad_share: float, size: int = 64
) -> tuple[torch.Tensor, list[dict[str, Any]]]:
    """Return the pictures of a section, ``(N, 1, size, size)``, and their items."""
    preprocessing = Preprocessing(size, 1)
    frames = expand_frames(data, "middle", preprocessing.count_frames)
    dataset = CachedDataset(frames, preprocessing, on_bad="quarantine", max_bad_share=max_bad_share)
    return dataset.images[:], dataset.items


def _as_pixels(images: torch.Tensor) -> Floats:
    """Return gray images as ``(N, H, W)``."""
    pixels: Floats = images[:, 0].double().numpy()
    return pixels


def _fitted(images: torch.Tensor) -> torch.Tensor:
    """Return the normals that are fitted."""
    places = np.linspace(0, len(images) - 1, min(len(images), MOST_NORMALS)).round().astype(int)
    return images[places]


def _detector_rows(train: Floats, test: Floats, studies: Studies, reading: Span) -> list[dict[str, Any]]:
    rows = []
    for what, features in FEATURES.items():
        watch = Stopwatch()
        fitted, scored = features(train), features(test)
        extraction = watch.read()
        for name, detector in DETECTORS.items():
            watch = Stopwatch()
            row: dict[str, Any] = {"method": f"{name}, {what}", "kind": "baseline", "oracle": ""}
            try:
                row["scores"] = studies.scores(detector(fitted, scored))
            except (ValueError, np.linalg.LinAlgError) as error:  # e.g. a single normal
                row["reason"] = str(error).splitlines()[0]
            rows.append(row | _took(reading, extraction, watch.read()))
    return rows


def _backbone_rows(
    normals: Sequence[Mapping[str, Any]], tested: Sequence[Mapping[str, Any]], studies: Studies, weights: str | None
) -> list[dict[str, Any]]:
    backbone = make_backbone(weights=weights, stages=STAGES)
    watch = Stopwatch()
    train, test = _read_pictures(normals, 0.05, IMAGE_SIZE)[0], _read_pictures(tested, 1.0, IMAGE_SIZE)[0]
    reading = watch.read()
    rows = backbone_rows(backbone, _fitted(train), test, lambda *spans: _took(reading, *spans))
    for row in rows:
        if "scores" in row:
            row["scores"] = studies.scores(row["scores"].double().numpy())
    return rows


def _took(*spans: Span) -> dict[str, float]:
    return {"seconds": sum(span.wall for span in spans), "cpu_seconds": sum(span.cpu for span in spans)}


def _statistic_rows(
    test: Floats, items: Sequence[Mapping[str, Any]], studies: Studies, reading: Span
) -> list[dict[str, Any]]:
    """Each statistic with the direction that the test labels like better; the best of them comes first."""
    watch = Stopwatch()
    values = {name: np.array([statistic(image) for image in test]) for name, statistic in STATISTICS.items()}
    for fact in ("rows", "columns", "colored"):
        if all(fact in item for item in items):
            values[f"{fact} of the file"] = np.array([float(item[fact]) for item in items])
    ranked = []
    for name, value in values.items():
        scores = np.array(studies.scores(value))
        auroc = float(roc_auc_score(studies.labels, scores))
        lower = auroc < 0.5
        if np.ptp(scores) > 0:  # a constant says nothing
            side = "lower" if lower else "higher"
            row = {"method": f"{name}, {side}", "kind": "statistic", **_took(reading, watch.read())}
            ranked.append((max(auroc, 1 - auroc), row | {"scores": (-scores if lower else scores).tolist()}))
    ranked.sort(key=lambda pair: -pair[0])
    return [row | {"oracle": "direction" if i else "choice and direction"} for i, (_, row) in enumerate(ranked)]


if __name__ == "__main__":
    atomic_write(sys.argv[2], json.dumps(score_baselines(sys.argv[1], sys.argv[3:])))
