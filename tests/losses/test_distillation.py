# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.losses.distillation import DistillationLoss

SHAPES = [(2, 3, 2, 2), (2, 1, 4, 4)]


def _levels(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in SHAPES]


def test_is_the_sum_of_the_levels_means():
    student, teacher = _levels(), _levels(1)
    expected = 0.0
    for s, t in zip(student, teacher, strict=True):
        differences = [(a - b) ** 2 for a, b in zip(s.flatten().tolist(), t.flatten().tolist(), strict=True)]
        expected += sum(differences) / len(differences)
    assert float(DistillationLoss()(student, teacher)) == pytest.approx(expected, rel=1e-5)
    assert float(DistillationLoss()(student, student)) == 0.0


def test_gradient_reaches_both_sides():
    student, teacher = ([level.requires_grad_() for level in _levels(seed)] for seed in (0, 1))
    DistillationLoss()(student, teacher).backward()
    for s, t in zip(student, teacher, strict=True):
        torch.testing.assert_close(s.grad, 2 * (s - t).detach() / s.numel())
        torch.testing.assert_close(t.grad, -s.grad)


def test_half_precision_is_computed_in_float32():
    student, teacher = [level.bfloat16() for level in _levels()], [level.bfloat16() for level in _levels(1)]
    loss = DistillationLoss()(student, teacher)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, DistillationLoss()([s.float() for s in student], [t.float() for t in teacher]))


def test_refuses_what_does_not_match():
    levels = _levels()
    for student, teacher in (([], []), (levels, levels[:1]), (levels, [levels[0], levels[1][:1]])):
        with pytest.raises(ValueError, match=r"must give the same levels, got shapes .* make the teacher"):
            DistillationLoss()(student, teacher)
