# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_anomaly.engines.objectives.base import Objective, Update, backward_sum, leave_intact


class Plain(Objective):
    """An objective without updates."""

    def updates(self):
        return []


IMAGE = torch.rand(2, 3, 4, 5)


def test_images_are_as_they_are_without_augmentation():
    assert Plain().augmented(IMAGE) is IMAGE


@pytest.mark.parametrize("augment", [lambda image: 1.0 - image, nn.Hardtanh(0.5, 1.0)])
def test_images_are_augmented_until_only_arithmetic_is_wanted(augment):
    objective = Plain(augment)
    assert torch.equal(objective.augmented(IMAGE), augment(IMAGE))
    objective.reduce_to_arithmetic()
    assert objective.augmented(IMAGE) is IMAGE


def test_what_stands_for_a_corruption_changes_nothing():
    image, mask = leave_intact(IMAGE)
    assert image is IMAGE
    assert torch.equal(mask, torch.zeros(2, 1, 4, 5))


def test_the_sum_of_the_terms_is_minimized():
    weight = torch.ones(2, requires_grad=True)
    backward_sum({"a": weight[0] * 2.0, "b": weight.sum()})
    assert weight.grad is not None and weight.grad.tolist() == [3.0, 1.0]


def test_an_update_is_made_at_least_once():
    with pytest.raises(ValueError, match="repeats of update 'critic' must be at least 1, got 0"):
        Update("critic", (nn.Linear(1, 1),), lambda batch: {}, repeats=0)
