# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a picture looks like the normals at all: three distances, one limit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from monai_anomaly.guard.gaussian_distance import GaussianDistance
from monai_anomaly.guard.picture_features import FEATURES, picture_features
from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["PictureLikeness"]

FALSE_ALARMS = 0.01
MIN_IMAGES = 16
MIN_GROUPS = 8
MAX_IMAGES = 2000
FOLDS = 10
BATCH = 128
TOGETHER = 8
SERIAL = 2**15  # numbers that PyTorch sums in one thread
Z_90 = 1.2816  # quantiles of the normal distribution
Z_99 = 2.3263

_WHAT = {
    "intensity": "its gray values, contrast or sharpness are",
    "edges": "its edges and their directions are",
    "layout": "what is dark and what is bright in it is",
}


@dataclass(frozen=True)
class PictureLikeness:
    """The distances of a picture's features from those of the normals, each in units of the normals' own distances.

    For each group of :func:`~monai_anomaly.guard.picture_features.picture_features` the logarithm of the distance
    (:class:`~monai_anomaly.guard.gaussian_distance.GaussianDistance`) is standardized by its median and the 90th
    percentile above it; the largest of the three is the one number that has a limit, so that three rules do not refuse
    three times as often. The normals' numbers come from a cross-validation that leaves out a tenth of the patients.
    The limit is the larger of

    - their conformal 99 % quantile, or the largest where there are fewer than 99 normals, and
    - where the 99 % quantile of a normal distribution of their median and 90th percentile would be,

    plus half a unit, plus 4 / sqrt(patients): with few patients little is known of the tail, and it is better to let an
    outsider through than to refuse an insider.

    Args:
        distances: by the name of the features.
        centers: medians of the log distances.
        spreads: of the log distances, as if of a normal distribution.
        limit: largest standardized log distance that is accepted.
    """

    distances: dict[str, GaussianDistance]
    centers: dict[str, float]
    spreads: dict[str, float]
    limit: float

    @classmethod
    def fit(cls, images: ImageSequence, groups: Sequence[str]) -> PictureLikeness | None:
        """Measure the normals; None when they are too few: 16 images of 8 patients are needed.

        Of more than 2,000 images as many are taken, evenly spaced.

        Args:
            images: ``(N, C, H, W)``.
            groups: each image's patient.
        """
        kept = np.linspace(0, len(images) - 1, min(len(images), MAX_IMAGES)).round().astype(int)
        numbers: dict[str, int] = {}  # in the data's order, whatever they are called
        patients = np.array([numbers.setdefault(groups[i], len(numbers)) for i in kept])
        if len(kept) < MIN_IMAGES or len(numbers) < MIN_GROUPS:
            return None
        parts = [
            picture_features(images[torch.from_numpy(part)]) for part in np.split(kept, range(BATCH, len(kept), BATCH))
        ]
        features = {name: torch.cat([part[name] for part in parts]) for name in FEATURES}
        logs = {name: np.log(_held_out(name, features[name], patients)) for name in FEATURES}
        centers = {name: float(np.median(log)) for name, log in logs.items()}
        spreads = {name: max(_spread(log), 1e-3) for name, log in logs.items()}
        worst = np.max([(logs[name] - centers[name]) / spreads[name] for name in FEATURES], axis=0)
        limit = _limit(worst) + 0.5 + 4 / math.sqrt(len(numbers))
        return cls({name: _fit(name, features[name]) for name in FEATURES}, centers, spreads, limit)

    def check(self, images: Tensor) -> list[str]:
        """Return of each image what is unlike the normals, or an empty text.

        An image's reason does not depend on the others. A few are looked at together, so that what lies between stays
        in the processor's cache; and one alone, where it is large, as if there were two of it, as PyTorch shares out
        the sum of a single large image among its threads in another way.

        Args:
            images: float32 ``(B, C, H, W)``, finite.
        """
        reasons = []
        for part in images.split(TOGETHER):
            alone = len(part) == 1 and part[0].numel() > SERIAL and torch.get_num_threads() > 1
            features = picture_features(part.repeat(2, 1, 1, 1) if alone else part)
            reasons += [
                self._judge({name: vectors[index : index + 1] for name, vectors in features.items()})
                for index in range(len(part))
            ]
        return reasons

    def _judge(self, features: Mapping[str, Tensor]) -> str:
        distances = {name: float(self.distances[name](features[name])) for name in FEATURES}
        excess = {n: (math.log(max(d, 1e-9)) - self.centers[n]) / self.spreads[n] for n, d in distances.items()}
        worst = max(FEATURES, key=excess.__getitem__)
        if excess[worst] <= self.limit:
            return ""
        allowed = math.exp(self.centers[worst] + self.limit * self.spreads[worst])
        return f"{_WHAT[worst]} unlike the training normals' (distance {distances[worst]:.2f}, limit {allowed:.2f})"

    def state(self) -> dict[str, Any]:
        """Tensors and plain values."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> PictureLikeness:
        """Undo :meth:`state`."""
        distances = {name: GaussianDistance(**state["distances"][name]) for name in FEATURES}
        return cls(distances, dict(state["centers"]), dict(state["spreads"]), float(state["limit"]))


def _fit(name: str, vectors: Tensor) -> GaussianDistance:
    return GaussianDistance.fit(vectors, one_unit=name != "intensity")


def _held_out(name: str, vectors: Tensor, patients: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return each vector's distance from the vectors of other patients."""
    from sklearn.model_selection import GroupKFold

    distances = np.empty(len(vectors))
    for others, left_out in GroupKFold(min(FOLDS, int(patients.max()) + 1)).split(patients, groups=patients):
        distance = _fit(name, vectors[torch.from_numpy(others)])
        distances[left_out] = distance(vectors[torch.from_numpy(left_out)]).numpy()
    return np.maximum(distances, 1e-9)


def _spread(values: npt.NDArray[np.float64]) -> float:
    """Return the standard deviation of a normal distribution with this median and 90th percentile."""
    return float(np.quantile(values, 0.9) - np.median(values)) / Z_90


def _limit(values: npt.NDArray[np.float64]) -> float:
    """Return the larger of the conformal and the normal distribution's 99 % quantile."""
    rank = min(math.ceil((1 - FALSE_ALARMS) * (len(values) + 1)), len(values))
    return max(float(np.sort(values)[rank - 1]), float(np.median(values)) + Z_99 * _spread(values))
