# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A detector and a critic so simple that a training can be done by hand."""

from __future__ import annotations

import torch
from monai.data import DataLoader, Dataset
from torch import nn

from monai_anomaly.engines.objectives.base import Objective, Update
from monai_anomaly.engines.trainer import ObjectiveTrainer


class TwoPlayers(Objective):
    """A linear detector and a linear critic with separable quadratic losses."""

    def __init__(self, repeats: int = 2, factor: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.detector = nn.Linear(4, 4)
        self.critic = nn.Linear(4, 1)
        self.repeats = repeats
        self.factor = factor
        self.seen: list[tuple[str, torch.Tensor]] = []

    def updates(self):
        return [
            Update("critic", (self.critic,), self.critic_terms, repeats=self.repeats),
            Update("generator", (self.detector,), self.generator_terms),
        ]

    def critic_terms(self, batch):
        self.seen.append(("critic", batch["image"].detach().clone()))
        assert not any(p.requires_grad for p in self.detector.parameters())
        return {"critic": (self.critic(batch["image"].flatten(1)) - 1).square().mean()}

    def generator_terms(self, batch):
        self.seen.append(("generator", batch["image"].detach().clone()))
        assert not any(p.requires_grad for p in self.critic.parameters())
        x = batch["image"].flatten(1)
        y = self.detector(x)
        return {"rec": self.factor * (x - y).square().mean(), "adv": -self.critic(y).mean()}


def make_trainer(objective, *, n=24, batch=12, epochs=1, lr=0.1, **kwargs):
    torch.manual_seed(1)
    images = torch.rand(n, 1, 2, 2)
    data = Dataset([{"image": image, "label": 0, "index": i} for i, image in enumerate(images)])
    optimizers = {
        "critic": torch.optim.SGD(objective.critic.parameters(), lr=lr),
        "generator": torch.optim.SGD(objective.detector.parameters(), lr=lr),
    }
    loader = DataLoader(data, batch_size=batch)
    return images, ObjectiveTrainer("cpu", epochs, loader, objective, optimizers, **kwargs)
