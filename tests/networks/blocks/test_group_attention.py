# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_anomaly.networks.blocks.group_attention import GroupAttention


def _library(attention, dim):
    """The same weights in the library's module."""
    library = nn.MultiheadAttention(dim, attention.heads, batch_first=True)
    with torch.no_grad():
        library.in_proj_weight.copy_(torch.cat([attention.query.weight, attention.key_value.weight]))
        library.in_proj_bias.copy_(torch.cat([attention.query.bias, attention.key_value.bias]))
        library.out_proj.load_state_dict(attention.out.state_dict())
    return library


@pytest.mark.parametrize("heads", [1, 3])
def test_is_the_librarys_attention_of_every_group_on_its_own(heads):
    torch.manual_seed(0)
    attention = GroupAttention(6, heads)
    for parameter in attention.parameters():
        nn.init.normal_(parameter)
    library = _library(attention, 6)
    tokens, context = torch.randn(2, 3, 4, 6), torch.randn(2, 3, 5, 6)
    visible = torch.tensor([[1, 1, 1, 1, 1], [0, 0, 1, 0, 0], [1, 0, 1, 1, 0]], dtype=torch.bool)
    answer = attention(tokens, attention.key_value(context), visible)
    assert answer.shape == tokens.shape
    for i in range(2):
        for p in range(3):
            seen = context[i, p][visible[p]][None]  # only these exist
            expected, _ = library(tokens[i, p][None], seen, seen)
            torch.testing.assert_close(answer[i, p], expected[0], atol=1e-5, rtol=1e-5)


def test_starts_like_the_librarys_attention():
    torch.manual_seed(0)
    ours, library = GroupAttention(64, 4), nn.MultiheadAttention(64, 4)
    packed = torch.cat([ours.query.weight, ours.key_value.weight])
    assert float(packed.detach().std()) == pytest.approx(float(library.in_proj_weight.detach().std()), rel=0.02)
    assert all(not layer.bias.any() for layer in (ours.query, ours.key_value, ours.out))


@pytest.mark.parametrize(("dim", "heads"), [(6, 4), (6, 0), (0, 1)])
def test_refuses_heads_that_do_not_divide_the_tokens(dim, heads):
    with pytest.raises(ValueError, match=f"heads must divide the token length dim, got {heads} heads and dim {dim}"):
        GroupAttention(dim, heads)
