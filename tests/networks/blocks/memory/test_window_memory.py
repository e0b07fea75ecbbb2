# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io

import pytest
import torch

from monai_anomaly.networks.blocks.memory.window_memory import WindowMemory

SHAPE = (3, 4, 6)  # channels, height, width


def _memory(grid=(2, 3), slots=5, top_k=2, **options):
    torch.manual_seed(0)
    return WindowMemory(grid, SHAPE, slots, top_k=top_k, **options)


def _maps(count=4, seed=1):
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def _reference(layer, maps, grid, top_k):
    """Window by window: softmax over the raw products, the k largest weights, rescaled to 1."""
    rows, cols = grid
    h, w = SHAPE[1] // rows, SHAPE[2] // cols
    result = torch.zeros_like(maps)
    for n, single in enumerate(maps):
        for r in range(rows):
            for c in range(cols):
                where = (slice(None), slice(r * h, (r + 1) * h), slice(c * w, (c + 1) * w))
                table = layer.memory.memory[r * cols + c]
                weights = torch.softmax(torch.stack([row @ single[where].flatten() for row in table]), dim=0)
                kept = sorted(range(len(table)), key=lambda i: -weights[i])[:top_k]
                answer = sum(weights[i] * table[i] for i in kept) / sum(weights[i] for i in kept)
                result[n][where] = answer.reshape(SHAPE[0], h, w)
    return result


@pytest.mark.parametrize("grid", [(2, 3), (1, 1), (4, 2)])
@torch.no_grad()
def test_each_window_has_its_own_memory(grid):
    layer, maps = _memory(grid), _maps()
    expected = _reference(layer, maps, grid, top_k=2)
    torch.testing.assert_close(layer(maps), expected)  # no shortcut in training either
    torch.testing.assert_close(layer.eval()(maps), expected)


@torch.no_grad()
def test_one_number_is_a_square_grid():
    layer = _memory(2)
    torch.testing.assert_close(layer(_maps()), _reference(layer, _maps(), (2, 2), top_k=2))


def test_windows_are_numbered_row_by_row():
    maps = _maps()
    tokens = _memory().tokens(maps)
    assert tokens.shape == (4, 6, 12)
    assert torch.equal(tokens[:, 4], maps[:, :, 2:4, 2:4].flatten(1))


@torch.no_grad()
def test_shortcut_mixes_whole_positions_in_training_only():
    layer, maps = _memory(shortcut=0.75), _maps(400)
    retrieved = layer.eval()(maps)
    torch.manual_seed(0)
    mixed = layer.train()(maps)
    remembered, kept = (mixed == retrieved).all(dim=1), (mixed == maps).all(dim=1)
    assert (remembered ^ kept).all()
    assert float(remembered.float().mean()) == pytest.approx(0.75, abs=0.02)  # 9,600 positions: 4.5 deviations
    share = remembered.float().mean(dim=0)
    assert float(share.std()) < 0.05  # no position and no window is preferred
    torch.manual_seed(0)
    assert torch.equal(layer(maps), mixed)
    assert not torch.equal(layer(maps), mixed)


@torch.no_grad()
def test_evaluation_draws_nothing_and_repeats():
    layer, maps = _memory(shortcut=0.5).eval(), _maps()
    state = torch.get_rng_state()
    assert torch.equal(layer(maps), layer(maps))
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(layer(maps[2:3]), layer(maps)[2:3])


def test_gradient_passes_the_shortcut_even_without_the_memory():
    layer, maps = _memory(shortcut=0.5), _maps().requires_grad_()
    torch.nn.init.zeros_(layer.memory.memory)
    layer(maps).sum().backward()
    assert set(maps.grad.unique().tolist()) == {0.0, 1.0}


@torch.no_grad()
def test_writes_the_windows_into_the_memory():
    layer, maps = _memory(slots=4, write="fifo", top_k=1), _maps(4)
    layer.write(maps)
    tokens = layer.tokens(maps)
    assert torch.equal(layer.memory.memory, tokens.transpose(0, 1))
    # a very long query finds itself
    torch.testing.assert_close(layer.eval()(maps * 100.0), maps)


@torch.no_grad()
def test_memory_options_arrive():
    maps = _maps(2)
    near, strict = _memory(top_k=3).eval(), _memory(top_k=3, sparsify="topk_strict").eval()
    total = _memory(top_k=3, reduce="sum").eval()
    cold = _memory(top_k=3, temperature=0.01).eval()
    everywhere = _memory(top_k=3, scope="global").eval()
    results = [layer(maps) for layer in (near, strict, total, cold, everywhere)]
    for i, first in enumerate(results):
        for second in results[:i]:
            assert not torch.allclose(first, second)
    assert _memory(write="replace_dissimilar", similarity=0.5).memory.similarity == 0.5
    assert _memory(sparsify="hard", threshold=0.125).memory.threshold == 0.125
    assert _memory(sparsify="gumbel_topk", noise="train").memory.noise == "train"


@torch.no_grad()
def test_keeps_the_type_of_its_input():
    layer = _memory(shortcut=0.5)
    for mode in (True, False):
        assert layer.train(mode)(_maps().bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("shortcut", [1.0, 0.5])
@torch.no_grad()
def test_torchscript_and_trace(shortcut):
    layer, maps = _memory(shortcut=shortcut), _maps()
    scripted = torch.jit.script(layer)
    torch.manual_seed(0)
    expected = layer(maps)
    torch.manual_seed(0)
    torch.testing.assert_close(scripted(maps), expected)
    layer.eval()
    torch.testing.assert_close(scripted.eval()(maps), layer(maps))
    torch.testing.assert_close(torch.jit.trace(layer, maps)(maps[:3]), layer(maps[:3]))
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    file.seek(0)
    torch.testing.assert_close(torch.jit.load(file)(maps), layer(maps))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window_grid": (3, 3)}, "grid must divide"),
        ({"map_shape": (4, 6)}, "map_shape must be channels, height and width"),
        ({"map_shape": (0, 4, 6)}, "map_shape must be channels, height and width"),
        ({"shortcut": 0.0}, "shortcut must lie in"),
        ({"shortcut": 1.01}, "shortcut must lie in"),
        ({"top_k": 6}, "top_k"),
    ],
)
def test_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        WindowMemory(**{"window_grid": (2, 3), "map_shape": SHAPE, "slots": 5, **arguments})


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (2, 4, 4, 6), (2, 3, 8, 12), (3, 4, 6)])
def test_refuses_a_map_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"\(C, h, w\) = \[3, 4, 6\]"):
        _memory()(torch.zeros(shape))
