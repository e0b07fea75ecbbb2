# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from monai_anomaly.engines.objectives.segmenter import SegmenterObjective
from monai_anomaly.networks.nets.embedding.embedding import Embedding
from monai_anomaly.transforms.pseudo_anomaly import PseudoAnomaly
from monai_anomaly.utils.exceptions import ConfigError

LOCATION = {"input": "raw", "stages": ["stage3"], "segmenter_stages": ["stage2", "stage3"], "width": 6}


def make(corrupt=None, **options):
    torch.manual_seed(0)
    return SegmenterObjective(Embedding(32, location=LOCATION, segmenter=True), corrupt or PseudoAnomaly(), **options)


def half(image):
    """Blacken the left half."""
    mask = torch.zeros_like(image)
    mask[..., :16] = 1
    return image * (1 - mask), mask


def test_it_learns_to_find_the_anomalies_and_changes_nothing_else():
    objective = make(half).train()
    before = {name: value.clone() for name, value in objective.network.backbone.named_parameters()}
    (update,) = objective.updates()
    optimizer = torch.optim.AdamW(update.parameters(), lr=4e-3)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        (loss,) = objective.terms({"image": 0.5 + 0.5 * torch.rand(4, 1, 32, 32)}).values()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    for name, value in objective.network.backbone.named_parameters():
        assert torch.equal(value, before[name])
        assert value.grad is None
    assert {id(p) for p in update.parameters()} == {id(p) for p in objective.network.locator.parameters()}


def test_the_loss_is_the_cross_entropy_with_the_mask_at_the_logits_size():
    objective = make(half)
    image = torch.rand(3, 1, 32, 32)
    corrupted, mask = half(image)
    objective.network.eval()
    logits = objective.network.locator.logits(objective.network.located_stages(corrupted))
    expected = F.binary_cross_entropy_with_logits(logits, F.avg_pool2d(mask, 32 // logits.shape[-1]))
    torch.testing.assert_close(objective.terms({"image": image})["segmenter"], expected)


def test_augmentation_comes_before_the_anomaly():
    order = []

    def augment(image):
        order.append("augment")
        return image

    def corrupt(image):
        order.append("corrupt")
        return half(image)

    objective = make(corrupt, augment=augment)
    objective.terms({"image": torch.rand(2, 1, 32, 32)})
    assert order == ["augment", "corrupt"]
    objective.reduce_to_arithmetic()
    objective.terms({"image": torch.rand(2, 1, 32, 32)})
    assert order == ["augment", "corrupt"]


@pytest.mark.parametrize("location", [None, LOCATION])
def test_an_embedding_without_a_segmenter_is_refused(location):
    with pytest.raises(ConfigError, match="set segmenter to true"):
        SegmenterObjective(Embedding(32, location=location), half)
