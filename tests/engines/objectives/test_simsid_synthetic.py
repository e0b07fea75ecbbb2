# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_anomaly.engines.objectives.simsid_synthetic import SimSIDSyntheticObjective
from tests.helpers.simsid_detectors import REPORT, SIMSID, SQUID, changed, make_detector, make_images, state

TOKENS = {**REPORT, "memory": {"slots": 2}}


def corrupt(images):
    """A lighter square, with a soft mask."""
    mask = torch.zeros_like(images[:, :1])
    mask[:, :, 2:6, 4:9] = 0.75
    return images + 0.5 * mask, mask


def make(generator=SIMSID, options=None, **arguments):
    detector = make_detector(generator, **{"score": "map_logit", **(options or {})})
    return SimSIDSyntheticObjective(detector, **{"corrupt": corrupt, **arguments}).train()


def batch(objective, count=4):
    return {"image": make_images(objective.detector, count, seed=5)}


@pytest.mark.parametrize("output", ["none", "tanh", "sigmoid"])
@pytest.mark.parametrize("recipe", [SIMSID, TOKENS])
def test_terms_equal_the_formulas(recipe, output):
    objective = make(recipe, {"output": output}, student_weight=3.0, map_weight=0.5)
    detector, data = objective.detector, batch(objective)
    terms = objective.terms(data)
    seen, mask = corrupt(data["image"])
    clean = data["image"]
    if output == "tanh":
        seen, clean = 2 * seen - 1, 2 * clean - 1
    logits = detector.generator(seen)
    picture = {"none": logits, "tanh": torch.tanh(logits), "sigmoid": torch.sigmoid(logits)}[output]
    found = detector.discriminator(torch.cat([seen, picture], dim=1))
    expected = {
        "student": 3.0 * ((picture - clean) ** 2).mean(),
        "map": 0.5 * nn.BCEWithLogitsLoss()(found, mask),
    }
    torch.testing.assert_close(terms, expected)


@pytest.mark.parametrize("recipe", [SIMSID, TOKENS])
def test_the_map_s_loss_trains_the_discriminator_alone_and_the_student_s_the_generator(recipe):
    objective = make(recipe)
    generator, discriminator = objective.detector.generator, objective.detector.discriminator
    for name, learns, rests in (("map", discriminator, generator), ("student", generator, discriminator)):
        objective.zero_grad()
        objective.terms(batch(objective))[name].backward()
        assert all(p.grad is None for p in rests.parameters())
        assert any(p.grad.any() for p in learns.parameters() if p.grad is not None)


def test_one_update_of_both_networks():
    objective = make()
    (update,) = objective.updates()
    assert update.name == "detector"
    assert {id(p) for p in update.parameters()} == {id(p) for p in objective.parameters()}


def test_images_are_augmented_before_they_are_corrupted():
    data = batch(make())
    mirrored = {"image": data["image"].flip(-1)}
    torch.testing.assert_close(make(augment=lambda x: x.flip(-1)).terms(data), make().terms(mirrored))


def test_steps_lower_the_loss():
    objective = make()
    data = batch(objective, 8)
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.01)
    losses = []
    for _ in range(15):
        terms = objective.terms(data)
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        losses.append({name: float(value) for name, value in terms.items()})
    assert all(losses[-1][name] < 0.8 * losses[0][name] for name in ("student", "map"))


def test_terms_are_float32_in_bfloat16_and_training_keeps_no_image():
    objective = make()
    before = state(objective)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = objective.terms(batch(objective))
    assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in terms.values())
    assert all(name.endswith(("running_mean", "running_var", "batches_tracked")) for name in changed(objective, before))


def test_refuses_other_scores_and_memories():
    with pytest.raises(ValueError, match="score must be 'map_logit', got 'recon_logit'; set score"):
        make(options={"score": "recon_logit"})
    for recipe in (SQUID, REPORT):
        with pytest.raises(ValueError, match="must be learned: another one would store the synthetic anomalies"):
            make(recipe)
    with pytest.raises(ValueError, match="at least 2 images in training mode, got 1"):
        objective = make()
        objective.terms(batch(objective, 1))
