# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Detectors on the features of patches: PaDiM and PatchCore. Both see normals in batches and hold what they may."""

from __future__ import annotations

import torch

__all__ = ["PaDiM", "PatchCore", "k_center_greedy", "top_mean"]


class PaDiM:
    """A Gaussian for each position (Defard et al. 2021).

    As published, channels are drawn at random once, and 0.01 is added to the diagonal of each covariance. The published
    blur of the map is left out.

    Args:
        channels: of the features.
        positions: of the features.
        drawn: how many channels are used, at most; 100 is the published number for a small backbone.
        seed: draws them.
    """

    def __init__(self, channels: int, positions: int, drawn: int = 100, seed: int = 0) -> None:
        order = torch.randperm(channels, generator=torch.Generator().manual_seed(seed))
        self.drawn = order[:drawn].sort().values
        size = len(self.drawn)
        self._count = 0
        self._shift = torch.zeros(positions, size, dtype=torch.float64)
        self._sum = torch.zeros(positions, size, dtype=torch.float64)
        self._products = torch.zeros(positions, size, size, dtype=torch.float64)

    def add(self, patches: torch.Tensor) -> None:
        """Take normals, ``(B, P, C)``."""
        drawn = patches[..., self.drawn].double()
        if not self._count:  # sums of differences from some normal lose no digits
            self._shift = drawn.mean(dim=0)
        moved = (drawn - self._shift).transpose(0, 1)
        self._count += len(patches)
        self._sum += moved.sum(dim=1)
        self._products += moved.transpose(1, 2) @ moved

    def fit(self) -> None:
        """End the normals.

        Raises:
            ValueError: for fewer than two.
        """
        if self._count < 2:
            raise ValueError(f"PaDiM needs two normals or more, got {self._count}.")
        mean = self._sum / self._count
        outer = mean[:, :, None] * mean[:, None, :]
        covariance = (self._products - self._count * outer) / (self._count - 1)
        covariance += 0.01 * torch.eye(len(self.drawn), dtype=torch.float64)
        self._mean, self._factor = self._shift + mean, torch.linalg.cholesky(covariance)
        self._products = torch.empty(0)

    def distances(self, patches: torch.Tensor) -> torch.Tensor:
        """Return the Mahalanobis distance at each position, ``(B, P)``, of ``(B, P, C)``."""
        off = (patches[..., self.drawn].double() - self._mean).permute(1, 2, 0)
        return torch.linalg.solve_triangular(self._factor, off, upper=False).norm(dim=1).T


def top_mean(values: torch.Tensor, share: float) -> torch.Tensor:
    """Return the mean of the largest values of each row, a share of them but one at least: ``(B, P)`` to ``(B,)``."""
    return values.topk(max(1, round(share * values.shape[1])), dim=1).values.mean(dim=1)


class PatchCore:
    """Distance to the nearest patch of a coreset of the normals' patches (Roth et al. 2022).

    The score of an image is the published one: the largest distance of its patches, times one minus the softmax weight
    of the nearest patch among that patch's own nearest ones in the coreset (equation 7).

    Args:
        normals: how many normals will come.
        memory: patches in the coreset, at most; it has a tenth of the normals' patches otherwise.
        candidates: patches that it is chosen of, at most, the same number of each image, drawn at random.
        neighbors: patches of the coreset that weigh the score.
        seed: draws.
    """

    def __init__(
        self, normals: int, memory: int = 2000, candidates: int = 20_000, neighbors: int = 9, seed: int = 0
    ) -> None:
        self._each = max(1, candidates // max(1, normals))
        self._most = memory
        self._neighbors = neighbors
        self._random = torch.Generator().manual_seed(seed)
        self._candidates: list[torch.Tensor] = []
        self._seen = 0

    def add(self, patches: torch.Tensor) -> None:
        """Take normals, ``(B, P, C)``."""
        self._seen += patches.shape[0] * patches.shape[1]
        for image in patches:
            drawn = torch.randperm(len(image), generator=self._random)[: self._each]
            self._candidates.append(image[drawn].float())

    def fit(self) -> None:
        """End the normals, and choose the coreset."""
        candidates = torch.cat(self._candidates)
        count = min(self._most, max(1, self._seen // 10), len(candidates))
        self.memory = candidates[k_center_greedy(candidates, count)]
        self._candidates = []

    def scores(self, patches: torch.Tensor) -> torch.Tensor:
        """Return the score of each image, ``(B,)``, of ``(B, P, C)``."""
        return torch.stack([self._score(image.float()) for image in patches])

    def _score(self, patches: torch.Tensor) -> torch.Tensor:
        nearest = torch.cdist(patches, self.memory).min(dim=1)
        patch = int(nearest.values.argmax())
        center = self.memory[nearest.indices[patch]]
        count = min(self._neighbors, len(self.memory))
        around = (self.memory - center).norm(dim=1).topk(count, largest=False).indices  # the center comes first
        distances = (self.memory[around] - patches[patch]).norm(dim=1)
        return distances[0] if count == 1 else distances[0] * (1 - distances.softmax(dim=0)[0])


def k_center_greedy(points: torch.Tensor, count: int) -> torch.Tensor:
    """Return the places of points that cover all: each is the farthest from those before it; the first one is given.

    Args:
        points: ``(N, C)``.
        count: how many of them, from 1 to N.
    """
    chosen = [0]
    squares = points.square().sum(dim=1)
    farthest = torch.full((len(points),), torch.inf)
    while len(chosen) < count:
        last = chosen[-1]
        distance = squares - 2 * (points @ points[last]) + squares[last]
        farthest = torch.minimum(farthest, distance)
        farthest[last] = -torch.inf  # rounding must not choose a point again
        chosen.append(int(farthest.argmax()))
    return torch.tensor(chosen)
