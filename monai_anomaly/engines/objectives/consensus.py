# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a consensus solves."""

from __future__ import annotations

from collections.abc import Sequence

from torch import tensor

from monai_anomaly.data.errors import DataListError
from monai_anomaly.engines.objectives.base import Batch, SolvedObjective
from monai_anomaly.engines.objectives.gathering import RowTable
from monai_anomaly.networks.nets.consensus.consensus import Consensus
from monai_anomaly.utils.exceptions import TrainingError

__all__ = ["ConsensusObjective"]


class ConsensusObjective(SolvedObjective):
    """The members' scores of held-out normals in one pass, then the scale of each and the weights of the rule.

    The members are not trained. No label of the pool is ever seen: an image of it is known by its ``row`` alone.

    Args:
        detector: the consensus, whose members have their weights.
        groups: the patient of each held-out normal; rows of a batch count through them.
        pool: number of images of the pool, whose rows follow.

    Raises:
        DataListError: for a rule that needs a pool without one.
        TrainingError: when a pass that was cut short has seen too little, or a member's score is not finite.
    """

    detector: Consensus

    def __init__(self, detector: Consensus, groups: Sequence[str], pool: int = 0) -> None:
        super().__init__()
        if detector.evidence.rule == "logistic" and not pool:
            raise DataListError(
                "the rule logistic compares normals with unlabeled images, and the pool has none that no member was "
                "trained on; add some, or take the rule maximum."
            )
        self.detector = detector
        numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
        self.patients = tensor([numbers[group] for group in groups])
        self._collected = RowTable(len(groups) + pool)
        self._numbers: dict[str, float] = {}

    def metrics(self) -> dict[str, float]:
        """Return how many images the last solution is of."""
        return dict(self._numbers)

    def collect(self, batch: Batch) -> None:
        """Keep the members' scores of a batch with `image` ``(B, C, S, S)`` and `row` ``(B,)``."""
        self._collected.add(batch["row"], self.detector.raw_scores(batch["image"]))

    def solve(self) -> None:
        """Fit the rule on all scores."""
        rows, scores = self._collected.gathered(self.detector.evidence.center.device)
        is_normal = rows < len(self.patients)
        normals, pool = scores[is_normal], scores[~is_normal]
        try:
            self.detector.evidence.fit(normals, self.patients[rows[is_normal]], pool)
        except ValueError as error:
            raise TrainingError(
                f"the members' scores of {len(normals)} held-out normals and {len(pool)} images of the pool cannot be "
                f"joined: {error}"
            ) from error
        self._numbers = {"normals": float(len(normals)), "pool": float(len(pool))}
