# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch
from torch.utils.data import DataLoader

from monai_anomaly.bundle.locator import prepare_locator
from monai_anomaly.engines.objectives.segmenter import SegmenterObjective
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.networks.nets.embedding.embedding import Embedding
from monai_anomaly.transforms.pseudo_anomaly import PseudoAnomaly

LOCATION = {"input": "raw", "stages": ["stage3"], "segmenter_stages": ["stage2", "stage3"], "width": 6}


def images(count=40):
    return torch.rand(count, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def test_the_segmenter_is_trained_and_the_scale_is_that_of_normals():
    torch.manual_seed(0)
    network = Embedding(32, location=LOCATION, segmenter=True)
    before = network.locator.segmenter.head.out.weight.clone()
    objective = SegmenterObjective(network, PseudoAnomaly())
    loader = DataLoader([{"image": image} for image in images(8)], batch_size=4)
    optimizer = torch.optim.AdamW(objective.segmenter.parameters(), lr=1e-2)
    prepare_locator(network, images(), ObjectiveTrainer("cpu", 1, loader, objective, {"segmenter": optimizer}))
    assert not network.training
    assert not torch.equal(network.locator.segmenter.head.out.weight, before)
    with torch.no_grad():
        shown = network.locator(network.located_stages(images()), 32)
    assert abs(shown.mean().item()) < 1e-3


def test_without_a_location_there_is_nothing_to_prepare():
    network = Embedding(32)
    before = {name: value.clone() for name, value in network.state_dict().items() if torch.is_tensor(value)}
    prepare_locator(network, images(2), None)
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())
