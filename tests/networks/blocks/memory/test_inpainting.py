# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from monai_anomaly.networks.blocks.memory.inpainting import (
    CENTER_TOKENS,
    CrossAttentionInpainting,
    TransformerInpainting,
)
from tests.helpers.onnx_runs import run_as_onnx

GRIDS = [(2, 2), (3, 4)]
DIM = 8
MEMORY = 12


def _cross(grid=(3, 4), **options):
    return _random(CrossAttentionInpainting(grid, DIM, **{"heads": 2, "hidden": 6, **options}))


def _transformer(grid=(3, 4), **options):
    return _random(TransformerInpainting(grid, DIM, **{"memory_dim": MEMORY, "heads": 2, "hidden": 6, **options}))


def _random(block):
    """Every parameter, biases and norms too, away from its special starting value."""
    torch.manual_seed(0)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    return block.eval()


def _tokens(grid=(3, 4), batch=3, memory_dim=DIM, seed=1):
    generator = torch.Generator().manual_seed(seed)
    locations = grid[0] * grid[1]
    return tuple(torch.randn(batch, locations, dim, generator=generator) for dim in (DIM, memory_dim))


def _windows(retrieved, grid, mask_border):
    """For every image and patch its neighbors: those in the grid alone, or all eight of the zero-padded grid."""
    rows, cols = grid
    padded = F.pad(retrieved.unflatten(1, grid), (0, 0, 1, 1, 1, 1))
    for i in range(len(retrieved)):
        for row in range(rows):
            for col in range(cols):
                places = [(row + a, col + b) for a in range(3) for b in range(3)]
                kept = [
                    k
                    for k, (y, x) in enumerate(places)
                    if k != 4 and (not mask_border or (1 <= y <= rows and 1 <= x <= cols))
                ]
                yield i, row * cols + col, kept, torch.stack([padded[i][places[k]] for k in kept])


def _attention(source):
    """The weights of one of our attentions in the library's."""
    dim = source.out.out_features
    library = nn.MultiheadAttention(dim, source.heads, batch_first=True)
    with torch.no_grad():
        library.in_proj_weight.copy_(torch.cat([source.query.weight, source.key_value.weight]))
        library.in_proj_bias.copy_(torch.cat([source.query.bias, source.key_value.bias]))
        library.out_proj.load_state_dict(source.out.state_dict())
    return library


def _cross_by_hand(block, tokens, retrieved, grid, mask_border):
    """One patch after the other; the library projects the neighbors' copies for each of them."""
    library = _attention(block.attention)
    first, _, _, second, _ = block.feed_forward
    result = torch.empty_like(tokens)
    for i, p, _, around in _windows(retrieved, grid, mask_border):
        answer, _ = library(tokens[i, p][None], around, around)
        n = torch.relu(block.norm1(answer[0]) + retrieved[i, p])
        result[i, p] = torch.relu(block.norm2(second(torch.relu(first(n)))) + n)
    return result


def _transformer_by_hand(block, tokens, retrieved, grid, mask_border):
    """One patch after the other, through the library's encoder layers, with the tokens that count and no mask."""
    layers = []
    for source in block.layers:
        layer = nn.TransformerEncoderLayer(DIM, 2, 6, dropout=0.0, batch_first=True, norm_first=True)
        layer.self_attn = _attention(source.attention)
        layer.norm1, layer.norm2 = source.norm1, source.norm2
        layer.linear1, layer.linear2 = source.feed_forward[0], source.feed_forward[3]
        layers.append(layer)
    result = torch.empty_like(tokens)
    for i, p, kept, around in _windows(retrieved, grid, mask_border):
        center = {
            "mask": torch.zeros(DIM),
            "memory": block.projection(retrieved[i, p]),
            "feature": tokens[i, p],
        }[block.center_token]
        places = [0, *(1 + k - int(k > 4) for k in kept)]
        x = torch.cat([center[None], block.projection(around)]) + block.position[places]
        for layer in layers:
            x = layer(x[None])[0]
        result[i, p] = block.out(block.norm(x[0]))
    return result


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("mask_border", [True, False])
@torch.no_grad()
def test_cross_attention_is_that_of_each_patch_over_its_neighbors(grid, mask_border):
    block = _cross(grid, mask_border=mask_border)
    tokens, retrieved = _tokens(grid)
    expected = _cross_by_hand(block, tokens, retrieved, grid, mask_border)
    torch.testing.assert_close(block(tokens, retrieved), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("mask_border", [True, False])
@pytest.mark.parametrize("center_token", CENTER_TOKENS)
@torch.no_grad()
def test_transformer_is_the_librarys_over_each_patch_and_its_neighbors(grid, mask_border, center_token):
    block = _transformer(grid, mask_border=mask_border, center_token=center_token)
    tokens, retrieved = _tokens(grid, memory_dim=MEMORY)
    expected = _transformer_by_hand(block, tokens, retrieved, grid, mask_border)
    torch.testing.assert_close(block(tokens, retrieved), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("make", [_cross, _transformer])
@torch.no_grad()
def test_zero_tokens_at_the_border_count_only_where_published(make):
    tokens, retrieved = _tokens(memory_dim=DIM if make is _cross else MEMORY)
    masked, published = (make(mask_border=m)(tokens, retrieved) for m in (True, False))
    differs = (masked - published).abs().amax(dim=(0, 2)) > 1e-4
    assert differs.tolist() == [True] * 5 + [False] * 2 + [True] * 5  # a 3 x 4 grid has two patches inside


def _reach(block, tokens, retrieved, of):
    """``(P, P)``: whether the output at a patch changes with the given input at another."""
    (jacobian,) = (
        torch.autograd.functional.jacobian(f, x)
        for f, x in [
            {
                "tokens": (lambda t: block(t, retrieved)[0], tokens),
                "retrieved": (lambda r: block(tokens, r)[0], retrieved),
                # a memory that answers each patch by itself
                "both": (lambda t: block(t, torch.tanh(t.repeat(1, 1, 2)[..., :MEMORY]))[0], tokens),
            }[of]
        ]
    )
    return jacobian[:, :, 0].abs().amax(dim=(1, 3)) > 0


@pytest.mark.parametrize("center_token", CENTER_TOKENS)
@pytest.mark.parametrize("layers", [1, 2])
def test_a_patch_is_made_from_its_neighbors_and_not_from_its_own_feature(center_token, layers):
    block = _transformer(center_token=center_token, layers=layers)
    tokens, retrieved = _tokens(batch=1, memory_dim=MEMORY)
    own = torch.eye(12, dtype=torch.bool)
    row, col = torch.arange(12) // 4, torch.arange(12) % 4
    near = ((row[:, None] - row).abs() <= 1) & ((col[:, None] - col).abs() <= 1) & ~own
    nothing = torch.zeros_like(own)
    assert torch.equal(_reach(block, tokens, retrieved, "tokens"), own if center_token == "feature" else nothing)
    assert torch.equal(_reach(block, tokens, retrieved, "retrieved"), near | own if center_token == "memory" else near)
    if center_token == "mask":
        assert torch.equal(_reach(block, tokens, retrieved, "both"), near)


def test_cross_attention_reaches_no_further_than_the_neighbors():
    block = _cross()
    tokens, retrieved = _tokens(batch=1)
    reach = _reach(block, tokens, retrieved, "retrieved")
    assert reach.sum(dim=1).tolist() == [4, 6, 6, 4, 6, 9, 9, 6, 4, 6, 6, 4]


@pytest.mark.parametrize("make", [_cross, _transformer])
def test_training_and_evaluation_give_the_same_without_dropout(make):
    block = make()
    inputs = _tokens(memory_dim=DIM if make is _cross else MEMORY)
    trained = block.train()(*inputs)
    with torch.inference_mode():
        torch.testing.assert_close(block.eval()(*inputs), trained.detach(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("make", [_cross, _transformer])
@torch.no_grad()
def test_dropout_is_random_in_training_alone_and_follows_the_seed(make):
    block = make(dropout=0.5)
    inputs = _tokens(memory_dim=DIM if make is _cross else MEMORY)
    assert torch.equal(block(*inputs), make()(*inputs))

    def train(seed):
        torch.manual_seed(seed)
        return block.train()(*inputs)

    assert torch.equal(train(0), train(0))
    assert not torch.equal(train(0), train(1))


@pytest.mark.parametrize("make", [_cross, *(lambda c=c: _transformer(center_token=c) for c in CENTER_TOKENS)])
def test_every_parameter_gets_a_gradient(make):
    block = make()
    inputs = _tokens(memory_dim=DIM if isinstance(block, CrossAttentionInpainting) else MEMORY)
    block(*inputs).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in block.parameters())


@pytest.mark.parametrize("make", [_cross, _transformer])
@torch.no_grad()
def test_an_image_is_filled_the_same_in_any_batch(make):
    block = make()
    tokens, retrieved = _tokens(memory_dim=DIM if make is _cross else MEMORY)
    torch.testing.assert_close(block(tokens[1:2], retrieved[1:2])[0], block(tokens, retrieved)[1])


@pytest.mark.parametrize("make", [_cross, _transformer])
@torch.no_grad()
def test_bfloat16_is_close(make):
    block = make()
    inputs = _tokens(memory_dim=DIM if make is _cross else MEMORY)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = block(*inputs)
    torch.testing.assert_close(result.float(), block(*inputs), atol=0.1, rtol=0.1)


@pytest.mark.parametrize("make", [_cross, *(lambda c=c: _transformer(center_token=c) for c in CENTER_TOKENS)])
@torch.no_grad()
def test_torchscript_by_script_and_by_trace_gives_the_same(make):
    block = make()
    tokens, retrieved = _tokens(memory_dim=DIM if isinstance(block, CrossAttentionInpainting) else MEMORY)
    expected = block(tokens, retrieved)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)  # TorchScript is deprecated, MONAI exports it
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        scripted = torch.jit.script(block)
        traced = torch.jit.trace(block, (tokens[:2], retrieved[:2]))
    torch.testing.assert_close(scripted(tokens, retrieved), expected)
    torch.testing.assert_close(traced(tokens, retrieved), expected)
    with pytest.raises(torch.jit.Error, match=r"tokens must have shape \(B, 12, D\)"):
        scripted(tokens, retrieved[:, :11])


class _Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.cross, self.transformer = _cross(), _transformer(memory_dim=DIM)

    def forward(self, tokens, retrieved):
        return self.cross(tokens, retrieved), self.transformer(tokens, retrieved)


@torch.no_grad()
def test_onnx_gives_the_same_for_any_batch(tmp_path):
    blocks, inputs = _Both().eval(), _tokens()
    results = run_as_onnx(blocks, *inputs, folder=tmp_path)
    for result, expected in zip(results, blocks(*inputs), strict=True):
        torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (_cross, {"neighborhood": 7}, "more neighbors than the grid of 3 x 4 has"),
        (_transformer, {"neighborhood": 7}, "more neighbors than the grid of 3 x 4 has"),
        (_cross, {"heads": 3}, "heads must divide"),
        (_transformer, {"heads": 3}, "heads must divide"),
        (_cross, {"hidden": 0}, "hidden must be at least 1"),
        (_transformer, {"hidden": 0}, "hidden must be at least 1"),
        (_cross, {"dropout": 1.0}, r"dropout must lie in \[0, 1\)"),
        (_transformer, {"dropout": -0.1}, r"dropout must lie in \[0, 1\)"),
        (_transformer, {"layers": 0}, "layers must be at least 1"),
        (_transformer, {"center_token": "zero"}, "center_token must be one of .*'mask', 'memory', 'feature'.*'zero'"),
    ],
)
def test_refuses_arguments_out_of_range(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)
