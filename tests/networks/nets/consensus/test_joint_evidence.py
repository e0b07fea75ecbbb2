# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import roc_auc_score

from monai_anomaly.calibration.conformal import conformal_p_values
from monai_anomaly.networks.nets.consensus.joint_evidence import RULES, JointEvidence

POOL = torch.tensor([[5.0, 1.0], [6.0, 0.0], [4.0, -1.0], [0.0, 0.5], [0.2, -0.6]])
NORMALS = torch.tensor([[0.0, 1.0], [1.0, -1.0], [-1.0, 0.5], [0.5, -0.5], [-0.5, 0.0]])
PATIENTS = torch.tensor([0, 0, 1, 2, 3])


def fitted(rule: str) -> JointEvidence:
    return JointEvidence(2, rule).fit(NORMALS, PATIENTS, POOL)


def reference(rule: str, evidence: JointEvidence, scores: torch.Tensor) -> torch.Tensor:
    z = (scores.double() - NORMALS.double().mean(0)) / NORMALS.double().std(0, correction=0)
    if rule == "maximum":
        return z.amax(1)
    if rule == "stouffer":
        return z.sum(1) / math.sqrt(2)
    if rule == "fisher":
        tails = stats.logistic(scale=math.sqrt(3) / math.pi).logsf(z.numpy())
        return torch.from_numpy(-tails.mean(1))
    return z @ evidence.weight.double() + evidence.bias.double()


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_that_of_the_book(rule):
    evidence, scores = fitted(rule), torch.tensor([[2.0, -1.0], [0.1, 7.0], [-3.0, 0.4], [80.0, 90.0]])
    joined, weights = evidence(scores)
    torch.testing.assert_close(joined.double(), reference(rule, evidence, scores), rtol=1e-5, atol=1e-5)
    assert weights.shape == (4, 2) and bool((weights >= 0).all())


@pytest.mark.parametrize("rule", RULES)
def test_a_weight_is_what_a_change_of_the_member_changes(rule):
    evidence, scores = fitted(rule), torch.tensor([[2.0, -1.0], [0.3, 0.9]])
    step = 1e-2 * evidence.spread
    weights = evidence(scores)[1]
    for member in range(2):
        change = torch.zeros(2)
        change[member] = step[member]
        difference = (evidence(scores + change)[0] - evidence(scores - change)[0]) / 0.02
        torch.testing.assert_close(difference, weights[:, member], rtol=2e-2, atol=2e-3)


def test_images_beyond_all_normals_are_still_told_apart():
    joined = JointEvidence(2, "maximum").fit(NORMALS, PATIENTS)(torch.tensor([[50.0, 0.0], [51.0, 0.0]]))[0]
    assert joined[0] < joined[1]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_a_member_without_a_score_is_left_out(rule, lost):
    evidence = fitted(rule)
    joined, weights = evidence(torch.tensor([[2.0, lost], [lost, lost]]))
    assert weights[0, 1] == 0 and weights[0, 0] != 0
    assert math.isfinite(joined[0]) and math.isnan(joined[1])
    if rule == "maximum":
        assert joined[0] == evidence.standardize(torch.tensor([[2.0, 0.0]]))[0, 0]


def test_the_pool_weighs_the_member_that_tells_it_apart():
    evidence = fitted("logistic")
    assert evidence.weight[0] > 5 * evidence.weight[1].abs()
    random = torch.Generator().manual_seed(0)
    ill = torch.randn(200, 2, generator=random) * torch.tensor([1.0, 8.0]) + torch.tensor([3.0, 0.0])
    well = torch.randn(200, 2, generator=random) * torch.tensor([1.0, 8.0])
    labels = [1] * 200 + [0] * 200
    auc = {rule: roc_auc_score(labels, fitted(rule)(torch.cat([ill, well]))[0]) for rule in ("logistic", "maximum")}
    assert auc["logistic"] > auc["maximum"] + 0.1


def test_without_a_patient_is_as_if_there_had_been_none():
    others = PATIENTS != 0
    for rule in RULES:
        alone = JointEvidence(2, rule).fit(NORMALS[others], PATIENTS[others], POOL)
        left = fitted(rule).without(0)
        for name, value in alone.named_buffers():
            torch.testing.assert_close(dict(left.named_buffers())[name], value)
    assert fitted("maximum").patient_of(NORMALS[3]) == 2
    assert fitted("maximum").patient_of(NORMALS[3] + 0.1) is None


def draw(rng: np.random.Generator, count: int) -> torch.Tensor:
    """Return scores of four members, skewed and correlated, of normals."""
    common = rng.normal(size=(count, 1))
    return torch.from_numpy(np.exp(0.5 * common + 0.7 * rng.normal(size=(count, 4)))).float()


def test_false_alarms_hold_for_normals_that_give_scale_and_calibration_alike():
    """Of 200 random splits the rate is within the binomial bound; the normals' own deviations break it."""
    rng, alpha = np.random.default_rng(0), 0.1
    rates: dict[str, list[float]] = {"held out": [], "own": []}
    for _ in range(200):
        normals, new = draw(rng, 9), draw(rng, 100)
        evidence = JointEvidence(4, "maximum").fit(normals, torch.arange(9))
        held_out = torch.cat([evidence.without(i)(normals[i : i + 1])[0] for i in range(9)])
        for name, known in (("held out", held_out), ("own", evidence(normals)[0])):
            p_values = conformal_p_values(evidence(new)[0].numpy(), known.numpy())
            rates[name].append(float(np.mean(p_values <= alpha)))
    bound = stats.binom.ppf(0.99, 200, alpha) / 200
    assert 0.05 < np.mean(rates["held out"]) <= bound < np.mean(rates["own"])


def test_the_state_brings_its_own_number_of_normals():
    saved = fitted("logistic").state_dict()
    other = JointEvidence(2, "logistic")
    other.load_state_dict(saved)
    torch.testing.assert_close(other.state_dict(), saved)
    assert len(other.normals) == 5 and len(other.pool) == 5
    with pytest.raises(RuntimeError, match="size mismatch for normals"):
        JointEvidence(3, "logistic").load_state_dict(saved)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match="rule must be one of maximum, fisher, stouffer, logistic, got 'mean'"):
        JointEvidence(2, "mean")
    evidence = JointEvidence(2, "logistic")
    with pytest.raises(ValueError, match="at least 2 patients"):
        evidence.fit(NORMALS, torch.zeros(5, dtype=torch.int64), POOL)
    with pytest.raises(ValueError, match="logistic needs a pool"):
        evidence.fit(NORMALS, PATIENTS)
    with pytest.raises(ValueError, match="must be finite"):
        evidence.fit(NORMALS.log(), PATIENTS, POOL)
