# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The scores of several detectors, each counted in deviations of held-out normals, become one."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["RULES", "JointEvidence"]

RULES = ("maximum", "fisher", "stouffer", "logistic")

MIN_SPREAD = 1e-8
CLIP = 6.0
STRENGTH = 0.1
SAME = 1e-3
"""Deviations within which two scores are of one image: rounding depends on batch and device."""
_SAVED = ("normals", "patients", "pool")


class JointEvidence(nn.Module):
    """Joins the scores of M members by a rule.

    Each score is standardized by mean and deviation of the held-out normals' scores: ``z``, a p-value with a smooth
    tail, which goes on to tell images apart where all lie beyond every normal. A member whose score is not finite is
    left out: in the maximum it does not count, in a sum it counts as a normal image on average would. Then

    - ``maximum``: the largest ``z``, that is the smallest p-value;
    - ``fisher``: minus the mean logarithm of the p-values, for which ``z`` is taken as logistic;
    - ``stouffer``: the sum of ``z`` over the square root of M;
    - ``logistic``: ``w z + b`` of a logistic regression that tells an unlabeled pool from the held-out normals.

    Until :meth:`fit` was called, scores are taken as standardized and weights as 1 / M.

    Args:
        members: M.
        rule: one of ``RULES``.

    Attributes:
        normals: scores of the held-out normals ``(N, M)`` that it was fitted on, for :meth:`without`.
        patients: number of the patient of each, ``(N,)``.
        pool: scores of the pool ``(P, M)``.

    Raises:
        ValueError: for another rule.

    Example:
        >>> evidence = JointEvidence(2, "maximum").fit(torch.tensor([[1.0, 10.0], [3.0, 30.0]]), torch.arange(2))
        >>> joined, weights = evidence(torch.tensor([[4.0, 20.0]]))
        >>> joined.tolist(), weights.tolist()
        ([2.0], [[1.0, 0.0]])
    """

    def __init__(self, members: int, rule: str) -> None:
        super().__init__()
        if rule not in RULES:
            raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}.")
        self.members, self.rule = members, rule
        self.steepness = math.pi / math.sqrt(3)  # of the logistic distribution of variance 1: an exponential tail
        self.register_buffer("center", torch.zeros(members))
        self.register_buffer("spread", torch.ones(members))
        self.register_buffer("weight", torch.full((members,), 1 / members))
        self.register_buffer("bias", torch.zeros(()))
        self.register_buffer("normals", torch.zeros(0, members))
        self.register_buffer("patients", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("pool", torch.zeros(0, members))
        self.center: Tensor
        self.spread: Tensor
        self.weight: Tensor
        self.bias: Tensor
        self.normals: Tensor
        self.patients: Tensor
        self.pool: Tensor

    def forward(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Join scores.

        Args:
            scores: float32 ``(B, M)``; what is not finite is left out.

        Returns:
            the joined score ``(B,)``, NaN where no member has one, and the weight of each member's standardized map
            ``(B, M)``: what a change of its score changes.
        """
        z = self.standardize(scores)
        known = z.isfinite()
        z = z.where(known, torch.zeros_like(z))
        if self.rule == "maximum":
            joined, first = z.masked_fill(~known, -math.inf).max(dim=1)
            weights = F.one_hot(first, self.members).to(z.dtype)
        elif self.rule == "fisher":
            evidence = F.softplus(self.steepness * z)  # -log p
            joined = evidence.where(known, torch.ones_like(z)).mean(dim=1)
            weights = torch.sigmoid(self.steepness * z) * (self.steepness / self.members)
        elif self.rule == "stouffer":
            joined = z.sum(dim=1) / math.sqrt(self.members)
            weights = torch.ones_like(z) / math.sqrt(self.members)
        else:
            joined = (z * self.weight).sum(dim=1) + self.bias
            weights = self.weight.expand_as(z)
        weights = weights.where(known, torch.zeros_like(z))
        return joined.where(known.any(dim=1), torch.full_like(joined, math.nan)), weights

    def standardize(self, scores: Tensor) -> Tensor:
        """Scores ``(B, M)`` to deviations of the held-out normals from their mean."""
        return (scores - self.center) / self.spread

    # ---- fitting -----------------------------------------------------------------------------------------------------

    @torch.jit.unused
    def fit(self, normals: Tensor, patients: Tensor, pool: Tensor | None = None) -> JointEvidence:
        """Take mean and deviation of each member from held-out normals; for ``logistic`` the weights, too.

        Args:
            normals: scores ``(N, M)``, finite, of at least 2 patients.
            patients: number of the patient of each, ``(N,)``.
            pool: scores of unlabeled images ``(P, M)``, which ``logistic`` needs.

        Raises:
            ValueError: for fewer patients, scores that are not finite, or ``logistic`` without a pool.
        """
        normals, patients = normals.detach().float().cpu(), patients.cpu()
        pool = torch.zeros(0, self.members) if pool is None else pool.detach().float().cpu()
        if len(patients.unique()) < 2:
            raise ValueError("a consensus needs held-out normals of at least 2 patients.")
        if not (normals.isfinite().all() and pool.isfinite().all()):
            raise ValueError("the members' scores of held-out normals and pool must be finite.")
        if self.rule == "logistic" and not len(pool):
            raise ValueError("the rule logistic needs a pool of unlabeled images; take another rule.")
        device = self.center.device
        self.normals, self.patients, self.pool = normals.to(device), patients.to(device), pool.to(device)
        center, spread = _moments(normals)
        if self.rule == "logistic":
            weight, bias = _contrast(_cross_fitted(normals, patients), (pool - center) / spread)
            self.weight.copy_(weight)
            self.bias.copy_(bias)
        self.center.copy_(center)
        self.spread.copy_(spread)
        return self

    @torch.jit.unused
    def without(self, patient: int) -> JointEvidence:
        """Return what :meth:`fit` gives without the images of one patient: how that patient's own are to be scored.

        Raises:
            ValueError: where fewer than 2 patients are left.
        """
        others = self.patients != patient
        return copy.deepcopy(self).fit(self.normals[others], self.patients[others], self.pool)

    @torch.jit.unused
    def patient_of(self, scores: Tensor) -> int | None:
        """Return the patient of the held-out normal with these scores ``(M,)``; None where there is no such one."""
        same = ((self.normals - scores.detach().to(self.normals)).abs() <= SAME * self.spread).all(dim=1)
        return int(self.patients[same][0]) if bool(same.any()) else None

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *others: Any) -> None:
        """Take over what was saved; how many normals and images of the pool there were, only the state says."""
        for name in _SAVED:
            saved = state_dict.get(prefix + name)
            if isinstance(saved, Tensor) and saved.shape[1:] == getattr(self, name).shape[1:]:
                setattr(self, name, torch.empty_like(saved, device=self.center.device))
        super()._load_from_state_dict(state_dict, prefix, *others)  # type: ignore[arg-type]


def _moments(scores: Tensor) -> tuple[Tensor, Tensor]:
    exact = scores.double()
    return exact.mean(dim=0).float(), (exact.std(dim=0, correction=0) + MIN_SPREAD).float()


def _cross_fitted(scores: Tensor, patients: Tensor) -> Tensor:
    """Return scores ``(N, M)`` in deviations of the other patients' scores."""
    z = torch.empty_like(scores)
    for patient in patients.unique():
        own = patients == patient
        center, spread = _moments(scores[~own])
        z[own] = (scores[own] - center) / spread
    return z


def _contrast(normals: Tensor, pool: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights ``(M,)`` and bias of the logistic regression that tells a pool from normals."""
    from sklearn.linear_model import LogisticRegression

    both = torch.cat([normals, pool]).clamp(-CLIP, CLIP).double().numpy()
    is_pool = [0] * len(normals) + [1] * len(pool)
    found = LogisticRegression(C=STRENGTH, class_weight="balanced").fit(both, is_pool)
    return torch.from_numpy(found.coef_[0]).float(), torch.tensor(float(found.intercept_[0]))
