# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import pytest
import torch

from monai_anomaly.networks.blocks.memory.memory_addressing import SPARSIFIERS, add_gumbel_noise, addressing_weights

EMPTY = -math.inf


def _by_hand(logits, sparsify, k, threshold, reduce):
    """The weights of one row of logits, number by number."""
    filled = [i for i, value in enumerate(logits) if value > EMPTY]
    if not filled:
        return [0.0] * len(logits)
    largest = max(logits[i] for i in filled)
    exponentials = {i: math.exp(logits[i] - largest) for i in filled}
    softmax = {i: value / sum(exponentials.values()) for i, value in exponentials.items()}
    order = sorted(filled, key=lambda i: -logits[i])
    kept = {
        "none": filled,
        "topk": order[:k],
        "gumbel_topk": order[:k],
        "topk_strict": order[: k - 1] if len(order) >= k else order,
        "hard": [i for i in filled if softmax[i] > threshold],
    }[sparsify]
    total = sum(softmax[i] for i in kept)
    return [(1.0 if reduce == "sum" else softmax[i] / total) if i in kept else 0.0 for i in range(len(logits))]


@pytest.mark.parametrize("reduce", ["weighted", "sum"])
@pytest.mark.parametrize("sparsify", SPARSIFIERS)
@pytest.mark.parametrize(("slots", "k"), [(7, 3), (7, 7), (40, 1), (200, 5)])  # topk pads the last of these
def test_equals_the_definition(sparsify, reduce, slots, k):
    k = max(k, 2) if sparsify == "topk_strict" else k
    draw = torch.Generator().manual_seed(slots)
    logits = 2 * torch.randn(3, 4, slots, generator=draw)
    logits[0, torch.rand(4, slots, generator=draw) < 0.5] = EMPTY
    logits[1, 0] = EMPTY
    logits[1, 1, 1:] = EMPTY
    expected = [[_by_hand(row, sparsify, k, 0.02, reduce) for row in rows] for rows in logits.tolist()]
    for trained in (False, True):  # with and without the straight-through gradient
        weights = addressing_weights(logits.clone().requires_grad_(trained), sparsify, k, 0.02, reduce)
        torch.testing.assert_close(weights, torch.tensor(expected))
        assert torch.equal(weights == 0, torch.tensor(expected) == 0)


@pytest.mark.parametrize(("sparsify", "count"), [("topk", 5), ("gumbel_topk", 5), ("topk_strict", 4)])
def test_strict_keeps_one_row_less(sparsify, count):
    logits = torch.randn(30, 200, generator=torch.Generator().manual_seed(0))
    assert ((addressing_weights(logits, sparsify, 5) > 0).sum(dim=-1) == count).all()


def test_ties_for_the_last_place():
    logits = torch.tensor([[3.0, 1.0, 1.0, 1.0, 0.0], [2.0, 2.0, 2.0, 2.0, 2.0]])
    weights = addressing_weights(logits, "topk", 2)
    assert (weights > 0).sum(dim=-1).tolist() == [2, 2]  # as many as asked for
    assert weights[0, 0] > 0.8 and weights[0, 4] == 0
    torch.testing.assert_close(weights[1].max(), torch.tensor(0.5))
    strict = addressing_weights(logits, "topk_strict", 2)
    assert strict.tolist() == [[1.0, 0.0, 0.0, 0.0, 0.0], [0.0] * 5]  # none of those that tie


def test_rows_are_chosen_where_the_softmax_underflows():
    logits = torch.tensor([[0.0, -400.0, -300.0, -200.0]])
    assert addressing_weights(logits, "topk", 3, reduce="sum").tolist() == [[1.0, 0.0, 1.0, 1.0]]
    assert addressing_weights(logits, "topk", 3)[0, 0] == 1.0


@pytest.mark.parametrize("reduce", ["weighted", "sum"])
@pytest.mark.parametrize("sparsify", ["none", "topk", "topk_strict", "gumbel_topk"])
def test_gradient_is_that_of_the_softmax(sparsify, reduce):
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 9, generator=draw, requires_grad=True)
    upstream = torch.randn(4, 9, generator=draw)
    (gradient,) = torch.autograd.grad(addressing_weights(logits, sparsify, 3, reduce=reduce), logits, upstream)
    weights = logits.detach().softmax(dim=-1)
    expected = weights * (upstream - (weights * upstream).sum(dim=-1, keepdim=True))
    torch.testing.assert_close(gradient, expected)


def test_gradient_of_hard_shrinkage_is_its_own():
    logits = torch.randn(4, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: addressing_weights(x, "hard", threshold=0.1), logits)


@pytest.mark.parametrize("sparsify", SPARSIFIERS)
def test_empty_rows_leave_a_finite_gradient(sparsify):
    logits = torch.tensor([[EMPTY] * 4, [0.5, EMPTY, EMPTY, 1.0]], requires_grad=True)
    weights = addressing_weights(logits, sparsify, 2)
    assert weights[0].tolist() == [0.0] * 4
    (weights * torch.arange(4.0)).sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_largest_noisy_logit_is_a_draw_from_the_softmax():
    logits = torch.tensor([0.0, 1.0, -1.0, EMPTY])
    torch.manual_seed(0)
    noisy = add_gumbel_noise(logits.expand(20000, 4))
    share = noisy.argmax(dim=-1).bincount(minlength=4) / 20000
    torch.testing.assert_close(share, logits.softmax(dim=-1), atol=0.02, rtol=0)
    torch.manual_seed(0)
    assert torch.equal(noisy, add_gumbel_noise(logits.expand(20000, 4)))
