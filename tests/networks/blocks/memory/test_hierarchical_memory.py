# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.networks.blocks.memory.hierarchical_memory import HierarchicalMemory
from monai_anomaly.networks.blocks.memory.space_aware_memory import SpaceAwareMemory

ROWS, COLS, D = 4, 6, 3
P = ROWS * COLS
LEVELS = ("patch", "block", "global")


def _tokens(count, seed=0):
    return torch.randn(count, P, D, generator=torch.Generator().manual_seed(seed))


def _memory(**options):
    torch.manual_seed(0)
    return HierarchicalMemory((ROWS, COLS), D, **{"slots": 4, "top_k": 3, **options})


def _members(level, block_size=2):
    """The patches of each location of a level, in the order of its locations."""
    height, width = {"patch": (1, 1), "block": (block_size, block_size), "global": (ROWS, COLS)}[level]
    return [
        [(r + i) * COLS + c + j for i in range(height) for j in range(width)]
        for r in range(0, ROWS, height)
        for c in range(0, COLS, width)
    ]


def _pooled(tokens, level, block_size=2):
    pool = (lambda x: x.max(dim=1).values) if level == "global" else (lambda x: x.mean(dim=1))
    return torch.stack([pool(tokens[:, members]) for members in _members(level, block_size)], dim=1)


def _single(memory, locations, **options):
    """A memory of one level, with the same rows."""
    single = SpaceAwareMemory(locations, memory.slots, D, **{"top_k": memory.top_k, **options})
    single.load_state_dict(memory.state_dict())
    return single


@pytest.mark.parametrize("query", ["patch", "pooled"])
@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize("write", ["learned", "fifo", "replace_dissimilar"])
@torch.no_grad()
def test_each_level_answers_like_a_memory_of_its_own(query, scope, write):
    options = {"scope": scope, "write": write}
    memory, tokens = _memory(query=query, **options), _tokens(2, 1)
    if write != "learned":
        memory.write(_tokens(3))
    answer = memory(tokens)
    assert memory.out_dim == 3 * D
    assert answer.shape == (2, P, 3 * D)
    for i, level in enumerate(LEVELS):
        members = _members(level)
        single = _single(memory.levels[i].memory, len(members), **options)
        pooled = single(_pooled(tokens, level))
        for location, patches in enumerate(members):
            for patch in patches:
                if query == "patch":  # the location of the patch is asked by the patch; the others do not matter
                    question = torch.zeros(2, len(members), D)
                    question[:, location] = tokens[:, patch]
                    expected = single(question)[:, location]
                else:
                    expected = pooled[:, location]
                torch.testing.assert_close(answer[:, patch, i * D : (i + 1) * D], expected)


@pytest.mark.parametrize("write", ["fifo", "replace_dissimilar"])
def test_each_level_remembers_its_pooled_features(write):
    memory, tokens = _memory(write=write, similarity=0.5), _tokens(3)
    singles = [_single(level.memory, len(_members(name)), write=write, similarity=0.5)
               for level, name in zip(memory.levels, LEVELS, strict=True)]  # fmt: skip
    memory.write(tokens)
    for level, name, single in zip(memory.levels, LEVELS, singles, strict=True):
        single.write(_pooled(tokens, name))
        torch.testing.assert_close(level.memory.memory, single.memory)
        assert torch.equal(level.memory.filled, single.filled)


@torch.no_grad()
def test_levels_come_in_the_order_asked_for():
    memory, swapped = _memory(levels=("block", "patch")), _memory(levels=("patch", "block"))
    swapped.levels[0].load_state_dict(memory.levels[1].state_dict())
    swapped.levels[1].load_state_dict(memory.levels[0].state_dict())
    answer, other = memory(_tokens(2)), swapped(_tokens(2))
    assert memory.out_dim == 2 * D
    assert torch.equal(answer, torch.cat([other[..., D:], other[..., :D]], dim=-1))


def test_blocks_of_another_size():
    memory = HierarchicalMemory((6, 3), D, levels=("block",), block_size=3, write="fifo", slots=2)
    tokens = torch.randn(2, 18, D)
    memory.write(tokens)
    expected = torch.stack([tokens[:, :9].mean(dim=1), tokens[:, 9:].mean(dim=1)])
    torch.testing.assert_close(memory.levels[0].memory.memory, expected)


def test_locations_and_top_k_of_the_levels_are_those_that_there_are():
    local = HierarchicalMemory((8, 8), D, top_k=5)
    assert [level.memory.memory.shape[:2] for level in local.levels] == [(64, 1), (16, 1), (1, 1)]
    assert [level.memory.top_k for level in local.levels] == [1, 1, 1]
    report = HierarchicalMemory((8, 8), D, top_k=5, scope="global", write="replace_dissimilar")
    assert [level.memory.top_k for level in report.levels] == [5, 5, 1]
    report.ensure_capacity(3)
    assert [level.memory.top_k for level in report.levels] == [5, 5, 3]


@torch.no_grad()
def test_a_grown_memory_is_like_one_made_with_more_slots():
    small, large = _memory(write="replace_dissimilar", slots=1), _memory(write="replace_dissimilar", slots=5)
    small.ensure_capacity(5)
    for memory in (small, large):
        memory.write(_tokens(4))
    assert all(torch.equal(t, large.state_dict()[name]) for name, t in small.state_dict().items())
    assert torch.equal(small(_tokens(2, 1)), large(_tokens(2, 1)))


@pytest.mark.parametrize("query", ["patch", "pooled"])
def test_gradients_reach_every_patch_and_every_level(query):
    memory, tokens = _memory(query=query), _tokens(2).requires_grad_()
    memory(tokens).square().sum().backward()
    assert (tokens.grad.abs().sum(dim=-1) > 0).all()
    assert all((level.memory.memory.grad != 0).any() for level in memory.levels)


@pytest.mark.parametrize("query", ["patch", "pooled"])
@torch.no_grad()
def test_reading_is_repeatable_in_evaluation_and_changes_no_state(query):
    memory = _memory(write="replace_dissimilar", sparsify="gumbel_topk", noise="train", query=query)
    memory.write(_tokens(2))
    before = {name: tensor.clone() for name, tensor in memory.state_dict().items()}
    assert not torch.equal(memory(_tokens(2, 1)), memory(_tokens(2, 1)))  # noise in training
    memory.eval()
    assert torch.equal(memory(_tokens(2, 1)), memory(_tokens(2, 1)))
    assert all(torch.equal(tensor, before[name]) for name, tensor in memory.state_dict().items())
    with pytest.raises(RuntimeError, match="frozen"):
        memory.write(_tokens(2))


@pytest.mark.filterwarnings("ignore", "error::torch.jit.TracerWarning")
@pytest.mark.parametrize("query", ["patch", "pooled"])
@torch.no_grad()
def test_torchscript_and_onnx_answer_the_same(query, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    pytest.importorskip("onnx", reason="needs the extra 'onnx'")
    memory, tokens = _memory(write="replace_dissimilar", scope="global", query=query), _tokens(3, 1)
    memory.write(_tokens(2))
    memory.eval()
    torch.testing.assert_close(torch.jit.script(memory)(tokens), memory(tokens))
    torch.testing.assert_close(torch.jit.trace(memory, tokens)(tokens), memory(tokens))
    file = str(tmp_path / "memory.onnx")
    torch.onnx.export(memory, (tokens,), file, dynamo=False)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: tokens.numpy()})
    torch.testing.assert_close(torch.from_numpy(answer), memory(tokens), rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_answers_are_float32_under_autocast():
    memory, tokens = _memory(), _tokens(2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = memory(tokens)
    assert answer.dtype == torch.float32
    assert torch.equal(answer, memory(tokens))


@pytest.mark.parametrize(("options", "message"), [
    ({"grid": (4,)}, "grid must be a positive number of rows and of columns"),
    ({"grid": (0, 4)}, "grid must be a positive number of rows and of columns"),
    ({"levels": ()}, "levels must be some of 'patch', 'block', 'global', each once"),
    ({"levels": ("patch", "patch")}, "levels must be some of"),
    ({"levels": ("image",)}, "levels must be some of"),
    ({"block_size": 4}, "block_size must divide the grid of 4 x 6 patches, got 4"),
    ({"block_size": 0}, "block_size must divide"),
    ({"query": "image"}, "query must be 'patch' or 'pooled'"),
    ({"top_k": 0}, "top_k must be at least 1"),
    ({"sparsify": "top"}, "sparsify must be one of"),
    ({"slots": 0}, "slots and dim must be at least 1"),
])  # fmt: skip
def test_arguments_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        HierarchicalMemory(**{"grid": (ROWS, COLS), "dim": D, **options})


def test_a_block_that_does_not_divide_the_grid_is_no_matter_without_that_level():
    assert HierarchicalMemory((3, 5), D, levels=("patch", "global"))(torch.rand(1, 15, D)).shape == (1, 15, 2 * D)


@pytest.mark.parametrize("shape", [(2, P - 1, D), (2, P, D + 1), (P, D)])
@pytest.mark.parametrize("query", ["patch", "pooled"])
def test_features_of_another_shape(shape, query):
    memory = _memory(write="fifo", query=query)
    for use in (memory, memory.write):
        with pytest.raises(ValueError, match=r"features must be \(B, 24, 3\)"):
            use(torch.rand(shape))


def test_a_checkpoint_of_another_layout():
    with pytest.raises(RuntimeError, match=r"levels.1.memory.memory: the checkpoint holds \(6, 2, 3\)"):
        _memory(slots=3).load_state_dict(_memory(slots=2, top_k=2).state_dict())
