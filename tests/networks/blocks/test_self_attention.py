# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import math
import warnings

import pytest
import torch
from monai.networks.blocks.pos_embed_utils import build_sincos_position_embedding
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from monai_anomaly.networks.blocks.self_attention import SelfAttentionBlock
from tests.helpers.onnx_runs import run_as_onnx

C, HEADS, HEAD_DIM = 8, 2, 5


def _block(channels=C, **options):
    torch.manual_seed(0)
    block = SelfAttentionBlock(channels, **{"heads": HEADS, "head_dim": HEAD_DIM, **options})
    for parameter in block.parameters():  # biases and the norm's weights too
        nn.init.normal_(parameter, std=0.5)
    return block


def _map(batch=2, height=3, width=4, channels=C, seed=1):
    return torch.randn(batch, channels, height, width, generator=torch.Generator().manual_seed(seed))


def _layer_norm(x, norm):
    centered = x - x.mean()
    return centered / (centered.square().mean() + norm.eps).sqrt() * norm.weight + norm.bias


def _by_hand(block, x):
    """One image, one head and one position after the other; the scores of all pairs are there."""
    d = block.head_dim
    images = []
    for image in x:
        height, width = image.shape[1:]
        tokens = [image[:, i, j] for i in range(height) for j in range(width)]
        placed = tokens
        if block.position:
            codes = build_sincos_position_embedding([height, width], len(image), spatial_dims=2)[0].to(x.dtype)
            placed = [token + code for token, code in zip(tokens, codes, strict=True)]
        query, key, value = (
            [layer.weight @ token + layer.bias for token in some]
            for layer, some in ((block.query, placed), (block.key, placed), (block.value, tokens))
        )
        rows = []
        for n, token in enumerate(tokens):
            answers = []
            for head in range(block.heads):
                part = slice(head * d, (head + 1) * d)
                scores = torch.stack([query[n][part] @ other[part] / math.sqrt(d) for other in key])
                weights = scores.exp() / scores.exp().sum()
                answers.append(sum(w * other[part] for w, other in zip(weights, value, strict=True)))
            rows.append(_layer_norm(token + block.out.weight @ torch.cat(answers) + block.out.bias, block.norm))
        images.append(torch.stack(rows).T.reshape(image.shape))
    return torch.stack(images)


@pytest.mark.parametrize("position", [False, True])
@pytest.mark.parametrize(("heads", "head_dim"), [(2, 5), (3, 1)])
def test_is_the_plain_form_in_value_and_gradient(heads, head_dim, position):
    block = _block(heads=heads, head_dim=head_dim, position=position)
    exact = copy.deepcopy(block).double()
    x, upstream = _map(2, 2, 3).requires_grad_(), _map(2, 2, 3, seed=2)
    answer, expected = block(x), _by_hand(exact, x.double())
    torch.testing.assert_close(answer, expected.float(), atol=1e-5, rtol=1e-5)
    gradients = torch.autograd.grad(answer, [x, *block.parameters()], upstream)
    expected_gradients = torch.autograd.grad(expected, [x, *exact.parameters()], upstream.double())
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, other.float(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scores_of_all_pairs_are_never_stored(dtype):
    x = _map().requires_grad_()
    # of the kernels of the CPU, this one goes block by block, and an error says where it cannot be used
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION]), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        _block(position=True)(x).sum().backward()
    pairs = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: pairs.append(t.numel()) or t, lambda t: t):
        _block()(_map(1, 16, 16).requires_grad_())
    assert max(pairs) < 256 * 256


def test_weights_of_a_position_sum_to_1():
    block = _block()
    with torch.no_grad():
        block.value.weight.zero_()  # every position has the same value, whatever the scores
        block.query.weight.mul_(30.0)
    x = _map()
    answer = block.out(block.value.bias)
    expected = block.norm(x.movedim(1, -1) + answer).movedim(-1, 1)
    torch.testing.assert_close(block(x), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_order_of_positions_matters_only_with_codes():
    x = _map(2, 4, 5)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))

    def reordered(y):
        return y.flatten(2)[:, :, order].reshape(y.shape)

    plain, coded = _block(), _block(position=True)
    torch.testing.assert_close(plain(reordered(x)), reordered(plain(x)), atol=1e-5, rtol=1e-5)
    assert (coded(reordered(x)) - reordered(coded(x))).abs().max() > 0.01


@torch.no_grad()
def test_every_position_sees_every_other_of_its_image_alone():
    block, x = _block(), _map(2, 3, 4)
    other = x.clone()
    other[0, :, 2, 3] += 1.0
    changed = (block(other) - block(x)).abs().amax(dim=1) > 1e-6
    assert changed[0].all() and not changed[1].any()


@pytest.mark.parametrize("position", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 2), (9, 9)])
@torch.no_grad()
def test_takes_maps_of_any_size_in_any_batch_and_layout(size, position):
    block, x = _block(position=position).eval(), _map(3, *size)
    answer = block(x)
    assert answer.shape == x.shape
    assert torch.equal(answer, block(x))
    torch.testing.assert_close(block(x[1:2]), answer[1:2], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(block(x.contiguous(memory_format=torch.channels_last)), answer, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_norm_comes_last():
    block = SelfAttentionBlock(C, heads=HEADS, head_dim=HEAD_DIM)  # its weights are 1 and 0 at the start
    answer = block(10 * _map())
    torch.testing.assert_close(answer.mean(dim=1), torch.zeros(2, 3, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(answer.var(dim=1, correction=0), torch.ones(2, 3, 4), atol=1e-3, rtol=0)
    assert not any(layer.bias.any() for layer in (block.query, block.key, block.value, block.out))


def test_size_of_the_reference():
    block = SelfAttentionBlock(128)
    assert sum(p.numel() for p in block.parameters()) == 131_968 + 2 * 128


@pytest.mark.parametrize("position", [False, True])
def test_bfloat16_autocast_is_close(position):
    block, x = _block(position=position), _map().requires_grad_()
    expected = block(x)
    for dtype in (torch.float32, torch.bfloat16):  # a map may come from a convolution under autocast
        with torch.autocast("cpu", dtype=torch.bfloat16):
            answer = block(x.to(dtype))
        torch.testing.assert_close(answer.float(), expected, atol=0.1, rtol=0.1)
        (gradient,) = torch.autograd.grad(answer.float().square().sum(), x)
        assert gradient.isfinite().all() and gradient.any()


@pytest.mark.parametrize("position", [False, True])
@torch.no_grad()
def test_torchscript_by_script_and_by_trace(position):
    block, x = _block(position=position).eval(), _map()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        scripted = torch.jit.script(block)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(block, x, check_trace=False)
    for run in (scripted, traced):
        torch.testing.assert_close(run(x), block(x))
    torch.testing.assert_close(scripted(_map(1, 5, 2)), block(_map(1, 5, 2)))
    with pytest.raises(torch.jit.Error, match="the map must have shape"):
        scripted(x[:, :4])


@torch.no_grad()
def test_onnx_gives_the_same_map_for_any_batch(tmp_path):
    block, x = _block(position=True).eval(), _map(3)
    (result,) = run_as_onnx(block, x, folder=tmp_path)
    torch.testing.assert_close(result, block(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("options", "message"), [
    ({"channels": 0}, "channels, heads and head_dim must be at least 1, got 0, 2 and 5"),
    ({"heads": 0}, "channels, heads and head_dim must be at least 1, got 8, 0 and 5"),
    ({"head_dim": 0}, "channels, heads and head_dim must be at least 1, got 8, 2 and 0"),
    ({"channels": 6, "position": True}, "channels must be a multiple of 4 for position codes, got 6"),
    ({"eps": 0.0}, "eps must be positive, got 0.0"),
    ({"eps": math.nan}, "eps must be positive, got nan"),
])  # fmt: skip
def test_refuses_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        SelfAttentionBlock(**{"channels": C, "heads": HEADS, "head_dim": HEAD_DIM, **options})


@pytest.mark.parametrize("shape", [(2, 4, 3, 3), (2, 8, 3), (8, 3, 3)])
def test_refuses_maps_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"the map must have shape \(B, 8, H, W\), got \["):
        _block()(torch.zeros(shape))
