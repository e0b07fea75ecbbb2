# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch

from monai_anomaly.engines.objectives.pretext import PretextObjective
from monai_anomaly.networks.nets.features.vgg_features import VGGFeatures
from monai_anomaly.transforms.pseudo_anomaly import PseudoAnomaly


def make(**kwargs):
    torch.manual_seed(0)
    return PretextObjective(VGGFeatures(("r22",), 0.1, norm=True), PseudoAnomaly(), **kwargs)


def step(objective, optimizer, images):
    optimizer.zero_grad()
    loss = sum(objective.terms({"image": images}).values())
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def test_it_learns_to_find_the_anomalies():
    objective = make().train()
    for p in objective.parameters():
        p.requires_grad_(True)
    optimizer = torch.optim.AdamW(objective.parameters(), lr=4e-3)
    torch.manual_seed(1)
    smooth = torch.nn.functional.interpolate(torch.rand(32, 1, 4, 4), size=(32, 32), mode="bicubic")
    losses = [step(objective, optimizer, smooth) for _ in range(60)]
    assert sum(losses[-10:]) < 0.7 * sum(losses[:5]) * 2


def test_the_features_are_trained_then_frozen():
    objective = make().train()
    assert objective.backbone.training and not objective.features.training
    (update,) = objective.updates()
    assert {id(p) for p in objective.features.parameters()} <= {id(p) for p in update.parameters()}
    objective.freeze()
    assert not any(p.requires_grad for p in objective.features.parameters())
    assert not objective.backbone.training


def test_the_deepest_stage_gets_a_gradient_of_its_own():
    objective = make().train()
    for p in objective.parameters():
        p.requires_grad_(True)
    objective.terms({"image": torch.rand(4, 1, 32, 32)})["pretext_deepest"].backward()
    assert objective.backbone[0].weight.grad.abs().sum() > 0
    assert objective.head.out.weight.grad is None


def test_augmentation_comes_before_the_anomaly():
    order = []

    def augment(x):
        order.append("augment")
        return x

    def corrupt(x):
        order.append("corrupt")
        return x, torch.zeros_like(x)

    objective = PretextObjective(VGGFeatures(("r22",), 0.1), corrupt, augment)
    objective.terms({"image": torch.rand(2, 1, 32, 32)})
    assert order == ["augment", "corrupt"]
