# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the embedding solves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from monai_anomaly.data.errors import DataListError
from monai_anomaly.engines.objectives.base import Batch, SolvedObjective
from monai_anomaly.engines.objectives.gathering import RowTable
from monai_anomaly.networks.nets.embedding.cross_fitting import cross_fitted
from monai_anomaly.networks.nets.embedding.embedding import Embedding
from monai_anomaly.utils.exceptions import TrainingError

__all__ = ["EmbeddingObjective"]


class EmbeddingObjective(SolvedObjective):
    """Features of all training images in one pass, then the heads, their scale on new normals and the rule that joins.

    No label of the pool is ever seen: an image of it is known by its ``row`` alone.

    Args:
        detector: the detector to train; its backbone has its weights already.
        groups: the patient of each training normal; rows of a batch count through them.
        pool_groups: the patient of each image of the pool, whose rows follow.
        folds: parts of the patients for scores of images that were not learned from.
        seed: of the parts.

    Attributes:
        normal_scores: ``(N,)``, the score of each normal by a detector that has not seen its patient, NaN for one that
            a pass which was cut short left out; None before the first solution.

    Raises:
        DataListError: for normals, or a pool, of a single patient.
        ValueError: for fewer than 2 folds.
        TrainingError: when a pass that was cut short has seen too little.
    """

    detector: Embedding

    def __init__(
        self,
        detector: Embedding,
        groups: Sequence[str],
        pool_groups: Sequence[str] = (),
        *,
        folds: int = 5,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if folds < 2:
            raise ValueError(f"folds must be at least 2, got {folds}.")
        for name, found in (("training normals", groups), ("images of the pool", pool_groups)):
            if (found and len(set(found)) < 2) or (name == "training normals" and not found):
                raise DataListError(f"the {name} are of {len(set(found))} patients, and 2 are needed; add images.")
        self.detector = detector
        self.groups = [*groups, *pool_groups]
        self.normals = len(groups)
        self.folds = folds
        self.seed = seed
        self.normal_scores: Tensor | None = None
        self._collected = RowTable(len(self.groups))
        self._numbers: dict[str, float] = {}

    def get_extra_state(self) -> dict[str, Any]:
        """Return what a resumed run needs of the solution beside the detector."""
        return {"normal_scores": self.normal_scores, "numbers": dict(self._numbers)}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Take over a solution."""
        self.normal_scores, self._numbers = state["normal_scores"], dict(state["numbers"])

    def metrics(self) -> dict[str, float]:
        """Return what the last solution says of pool and normals."""
        return dict(self._numbers)

    def collect(self, batch: Batch) -> None:
        """Keep the features of a batch with `image` ``(B, C, S, S)`` and `row` ``(B,)``."""
        self._collected.add(batch["row"], self.detector.features(batch["image"]))

    @torch.no_grad()
    def solve(self) -> None:
        """Fit the heads on all features, and their scale and rule on scores of images that were left out."""
        rows, features = self._collected.gathered(self.detector.score_mean.device)
        known = rows[rows < self.normals]
        normals, pool = features[: len(known)], features[len(known) :]  # no copies: these are large
        try:
            scores, pool_scores = cross_fitted(
                self.detector.heads,
                normals,
                pool,
                [self.groups[row] for row in rows.tolist()],
                folds=self.folds,
                seed=self.seed,
            )
        except ValueError as error:
            raise TrainingError(
                f"the pass ended after {len(normals)} normals and {len(pool)} images of the pool, too few to learn "
                "from; raise max_minutes."
            ) from error
        self.detector.fit_heads(normals, pool)
        joined, share = self.detector.fit_joining(scores, pool_scores)
        self.normal_scores = torch.full((self.normals,), torch.nan)
        self.normal_scores[known] = joined
        self._numbers = {"normals": float(len(normals)), "pool": float(len(pool))}
        if share is not None:
            self._numbers["pool_share"] = share
