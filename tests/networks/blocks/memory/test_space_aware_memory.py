# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
import itertools
import math

import pytest
import torch

from monai_anomaly.networks.blocks.memory.memory_addressing import SPARSIFIERS
from monai_anomaly.networks.blocks.memory.space_aware_memory import SpaceAwareMemory

P, S, D = 4, 6, 5


def _tokens(count, seed=0, locations=P, dim=D):
    return torch.randn(count, locations, dim, generator=torch.Generator().manual_seed(seed))


def _memory(**options):
    torch.manual_seed(0)
    return SpaceAwareMemory(P, S, D, **{"top_k": 3, **options})


def _state(memory):
    return {name: tensor.clone() for name, tensor in memory.state_dict().items()}


def _same_state(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class _Loop:
    """Writing as the algorithms say it: one image and one location after the other."""

    def __init__(self, locations, slots, similarity=0.9):
        self.rows = [[None] * slots for _ in range(locations)]
        self.next = [0] * locations
        self.similarity = similarity

    def _put(self, p, feature):
        self.rows[p][self.next[p]] = feature
        self.next[p] = (self.next[p] + 1) % len(self.rows[p])

    def replace(self, tokens):
        for image in tokens:
            for p, feature in enumerate(image):
                known = [row for row in self.rows[p] if row is not None]
                cosines = [float(row @ feature / (row.norm() * feature.norm())) for row in known]
                if not known or max(cosines) < self.similarity:
                    self._put(p, feature)

    def fifo(self, tokens):
        for image in tokens:
            for p, feature in enumerate(image):
                self._put(p, feature)


# (iv) reading


def _read_by_hand(memory, query):
    """One query after the other, row by row."""
    answer = torch.zeros_like(query)
    for b, p in itertools.product(range(query.shape[0]), range(query.shape[1])):
        places = [p] if memory.is_local else range(memory.locations)
        rows = [memory.memory[q, s].detach() for q in places for s in range(memory.slots) if memory.filled[q, s]]
        logits = [float(row @ query[b, p]) / memory.temperature for row in rows]
        if not logits:
            continue
        softmax = [math.exp(value - max(logits)) for value in logits]
        softmax = [value / sum(softmax) for value in softmax]
        order = sorted(range(len(rows)), key=lambda i: -logits[i])
        kept = {
            "none": order,
            "hard": [i for i in order if softmax[i] > memory.threshold],
            "topk_strict": order[: memory.top_k - 1] if len(order) >= memory.top_k else order,
        }.get(memory.sparsify, order[: memory.top_k])
        total = sum(softmax[i] for i in kept)
        for i in kept:
            answer[b, p] += rows[i] * (1.0 if memory.reduce == "sum" else softmax[i] / total)
    return answer


@pytest.mark.parametrize("reduce", ["weighted", "sum"])
@pytest.mark.parametrize("sparsify", SPARSIFIERS)
@pytest.mark.parametrize("write", ["learned", "fifo", "replace_dissimilar"])
@pytest.mark.parametrize("scope", ["local", "global"])
@torch.no_grad()
def test_reading_equals_the_loop_over_images_and_locations(scope, write, sparsify, reduce):
    memory = _memory(scope=scope, write=write, sparsify=sparsify, reduce=reduce, temperature=0.5, threshold=0.05)
    if write != "learned":
        memory.write(_tokens(2, 1))
    if write == "replace_dissimilar":  # one location with nothing, one with a single row
        memory.filled[0] = False
        memory.filled[1, 1:] = False
    query = _tokens(3, 2)
    answer = memory.eval()(query)
    torch.testing.assert_close(answer, _read_by_hand(memory, query), rtol=1e-4, atol=1e-5)
    assert answer.abs().sum() > 0


@pytest.mark.parametrize("scope", ["local", "global"])
@torch.no_grad()
def test_an_empty_memory_answers_zeros(scope):
    memory = _memory(scope=scope, write="replace_dissimilar")
    assert torch.equal(memory(_tokens(2)), torch.zeros(2, P, D))
    memory.write(_tokens(1))
    assert (memory(_tokens(2)).abs().sum(dim=-1) > 0).all()


@torch.no_grad()
def test_a_location_sees_its_own_rows_only_if_the_scope_is_local():
    query = _tokens(2)
    for scope, changes in (("local", [True, False, False, False]), ("global", [True] * P)):
        memory = _memory(scope=scope, sparsify="none")
        before = memory(query)
        memory.memory[0] += 1.0
        assert (memory(query) != before).any(dim=-1).any(dim=0).tolist() == changes


def test_gradients_reach_the_query_and_all_learned_rows():
    memory, query = _memory(sparsify="topk"), _tokens(2).requires_grad_()
    memory(query).square().sum().backward()
    assert (query.grad != 0).all()
    assert (memory.memory.grad != 0).all()


def test_rows_start_as_published():
    learned = SpaceAwareMemory(50, 40, 16).memory
    assert isinstance(learned, torch.nn.Parameter)
    assert 0.24 < learned.max() <= 0.25 and -0.25 <= learned.min() < -0.24
    for write, filled in (("fifo", True), ("replace_dissimilar", False)):
        memory = _memory(write=write)
        assert not list(memory.parameters())
        assert bool(memory.filled.all()) is filled and bool((memory.memory != 0).any()) is filled


# (i), (ii) writing


@pytest.mark.parametrize("slots", [1, 3, 20])
@pytest.mark.parametrize("similarity", [-0.2, 0.5, 1.0])
def test_replacing_equals_the_loop_bit_for_bit(slots, similarity):
    memory = SpaceAwareMemory(P, slots, D, write="replace_dissimilar", top_k=1, similarity=similarity)
    loop = _Loop(P, slots, similarity)
    for seed, count in enumerate((7, 1, 4)):
        tokens = _tokens(count, seed)
        memory.write(tokens)
        loop.replace(tokens)
        assert memory.pointer.tolist() == loop.next
        assert memory.filled.tolist() == [[row is not None for row in rows] for rows in loop.rows]
        expected = torch.stack([torch.stack([torch.zeros(D) if r is None else r for r in rows]) for rows in loop.rows])
        assert torch.equal(memory.memory, expected)


def test_an_image_is_compared_with_those_before_it_in_its_batch():
    one, other = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    memory = SpaceAwareMemory(1, 4, 2, write="replace_dissimilar", top_k=1)
    memory.write(torch.stack([one, 3 * one, other, one + 0.01 * other, -one]).unsqueeze(1))
    assert memory.memory[0].tolist() == [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, 0.0]]
    assert memory.filled.tolist() == [[True, True, True, False]] and memory.pointer.tolist() == [3]


def test_a_feature_of_zeros_is_written_and_is_like_no_other():
    memory = SpaceAwareMemory(1, 3, 2, write="replace_dissimilar", top_k=1, similarity=0.1)
    memory.write(torch.tensor([[[0.0, 0.0]], [[1.0, 0.0]]]))
    assert memory.filled.tolist() == [[True, True, False]]
    memory.write(torch.tensor([[[2.0, 0.0]], [[0.0, 1.0]]]))
    assert memory.memory[0].tolist() == [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]


def test_features_are_compared_in_float32_under_autocast():
    memory = SpaceAwareMemory(1, 3, 2, write="replace_dissimilar", top_k=1, similarity=0.999)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        memory.write(torch.tensor([[[1.0, 0.0]], [[0.9985, 0.05475]]]))  # a cosine that bfloat16 rounds to 1
        memory.write(torch.tensor([[[0.9985, -0.05475]]]))
    assert memory.filled.tolist() == [[True, True, True]]


@pytest.mark.parametrize("counts", [(4, 4, 4), (5, 1, 2), (6, 6), (1, 20, 3), (13,)])
def test_the_queue_equals_the_loop(counts):
    memory, loop = _memory(write="fifo"), _Loop(P, S)
    loop.rows = [list(rows) for rows in memory.memory.clone()]
    for seed, count in enumerate(counts):
        tokens = _tokens(count, seed)
        memory.write(tokens)
        loop.fifo(tokens)
        assert torch.equal(memory.memory, torch.stack([torch.stack(rows) for rows in loop.rows]))
        assert memory.pointer.tolist() == loop.next[0]


@pytest.mark.parametrize("write", ["fifo", "replace_dissimilar"])
def test_gradients_of_an_answer_given_before_a_write(write):
    memory = _memory(write=write)
    memory.write(_tokens(S))
    query, tokens = _tokens(2, 1).requires_grad_(), _tokens(3, 2).requires_grad_()
    answer = memory(query)
    (expected,) = torch.autograd.grad(answer.sum(), query, retain_graph=True)
    memory.write(tokens)
    (gradient,) = torch.autograd.grad(answer.sum(), query)
    assert torch.equal(gradient, expected)
    assert not memory.memory.requires_grad


@pytest.mark.parametrize("write", ["fifo", "replace_dissimilar"])
@pytest.mark.parametrize("before", [2, S, S + 2])
def test_growing_keeps_what_is_stored_and_replaces_the_oldest_last(write, before):
    memory = _memory(write=write, similarity=1.0)
    stream = _tokens(before + 20)
    memory.write(stream[:before])
    stored = memory.memory[memory.filled].reshape(P, -1, D)
    memory.ensure_capacity(S - 1)  # never shrinks
    assert memory.slots == S
    memory.ensure_capacity(S + 3)
    assert memory.memory.shape == (P, S + 3, D) and memory.filled.shape == (P, S + 3) and memory.slots == S + 3
    for p in range(P):
        kept = memory.memory[p].tolist()
        assert all(row in kept for row in stored[p].tolist())
    memory.write(stream[before:])
    latest = stream[-(S + 3) :].transpose(0, 1)
    assert torch.equal(memory.memory.sort(dim=1).values, latest.sort(dim=1).values)
    assert memory.filled.all()


@torch.no_grad()
def test_after_growing_the_oldest_row_goes_first():
    memory = SpaceAwareMemory(1, 3, 1, write="fifo", top_k=1)
    memory.write(torch.arange(1.0, 6.0).reshape(5, 1, 1))  # 3, 4, 5 are left
    memory.ensure_capacity(5)
    memory.write(torch.tensor([6.0, 7.0, 8.0]).reshape(3, 1, 1))
    assert sorted(memory.memory.flatten().tolist()) == [4.0, 5.0, 6.0, 7.0, 8.0]


# (viii) state


@pytest.mark.parametrize("sparsify", SPARSIFIERS)
@pytest.mark.parametrize("write", ["learned", "fifo", "replace_dissimilar"])
@torch.no_grad()
def test_reading_is_repeatable_in_evaluation_and_changes_no_state(write, sparsify):
    memory = _memory(write=write, sparsify=sparsify, noise="train" if sparsify == "gumbel_topk" else "never")
    if write != "learned":
        memory.write(_tokens(4))
    before = _state(memory)
    memory.train()(_tokens(3, 1))
    memory.eval()
    assert torch.equal(memory(_tokens(3, 1)), memory(_tokens(3, 1)))
    assert _same_state(_state(memory), before)


@pytest.mark.parametrize(("noise", "in_training", "in_evaluation"), [
    ("never", False, False), ("train", True, False), ("always", True, True)
])  # fmt: skip
@torch.no_grad()
def test_noise(noise, in_training, in_evaluation):
    memory, query = _memory(sparsify="gumbel_topk", noise=noise), _tokens(3)
    for training, expected in ((True, in_training), (False, in_evaluation)):
        memory.train(training)
        torch.manual_seed(1)
        first, second = memory(query), memory(query)
        assert torch.equal(first, second) is not expected
        torch.manual_seed(1)
        assert torch.equal(first, memory(query))


@pytest.mark.parametrize("write", ["learned", "fifo", "replace_dissimilar"])
def test_state_dict_round_trip(write):
    memory, other = _memory(write=write), SpaceAwareMemory(P, S, D, write=write, top_k=3)
    if write != "learned":
        memory.write(_tokens(4))
        assert memory.pointer.any()
    file = io.BytesIO()
    torch.save(memory.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert set(_state(other)) == {"memory", "filled", "pointer"}
    assert _same_state(_state(memory), _state(other))
    if write != "learned":  # and goes on in the same place
        memory.write(_tokens(5, 1))
        other.write(_tokens(5, 1))
    assert _same_state(_state(memory), _state(other))
    assert torch.equal(memory(_tokens(2)), other(_tokens(2)))


@pytest.mark.parametrize("strict", [True, False])
def test_a_checkpoint_of_another_layout(strict):
    holder = torch.nn.ModuleDict({"bottleneck": _memory()})
    before = _state(holder)
    stored = torch.nn.ModuleDict({"bottleneck": SpaceAwareMemory(P, S + 1, D)}).state_dict()
    with pytest.raises(RuntimeError) as error:
        holder.load_state_dict(stored, strict=strict)
    assert "bottleneck.memory: the checkpoint holds (4, 7, 5) (locations, slots, dim), this memory (4, 6, 5)" in str(
        error.value
    )
    assert "size mismatch" not in str(error.value)
    assert _same_state(_state(holder), before)


def test_a_checkpoint_of_another_way_of_writing():
    with pytest.raises(RuntimeError, match="was not written by write='fifo'"):
        _memory(write="fifo").load_state_dict(_memory(write="replace_dissimilar").state_dict())


# TorchScript, ONNX, autocast

EXPORTS = [
    {"scope": "local", "sparsify": "topk"},
    {"scope": "global", "sparsify": "hard", "write": "fifo"},
    {"scope": "global", "sparsify": "topk_strict", "write": "replace_dissimilar"},
    {"scope": "local", "sparsify": "gumbel_topk", "noise": "train", "reduce": "sum", "write": "replace_dissimilar"},
]


def _written(options):
    memory = _memory(**options)
    if memory.write_rule != "learned":
        memory.write(_tokens(2))
    return memory.eval()


@pytest.mark.filterwarnings("ignore::FutureWarning", "error::torch.jit.TracerWarning")
@pytest.mark.parametrize("options", EXPORTS)
@torch.no_grad()
def test_torchscript_by_script_and_by_trace_answers_the_same(options):
    memory, query = _written(options), _tokens(3, 1)
    scripted, traced = torch.jit.script(memory), torch.jit.trace(memory, query[:2])
    torch.testing.assert_close(scripted(query), memory(query))
    torch.testing.assert_close(traced(query), memory(query))
    with pytest.raises(torch.jit.Error, match="features must be"):
        scripted(query[:, 1:])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", EXPORTS)
@torch.no_grad()
def test_onnx_by_trace_answers_the_same(options, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    pytest.importorskip("onnx", reason="needs the extra 'onnx'")
    memory, query = _written(options), _tokens(3, 1)
    file = str(tmp_path / "memory.onnx")
    torch.onnx.export(memory, (query,), file, dynamo=False)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: query.numpy()})
    torch.testing.assert_close(torch.from_numpy(answer), memory(query), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("write", ["learned", "fifo", "replace_dissimilar"])
@torch.no_grad()
def test_addressing_is_float32_under_autocast(write):
    long = 512  # products of about +-60, of which bfloat16 keeps no digit behind the point
    memory = SpaceAwareMemory(2, 20, long, write=write)
    rows, query = _tokens(20, 1, 2, long), _tokens(3, 2, 2, long)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        if write == "learned":
            memory.memory.copy_(rows.transpose(0, 1))
        else:
            memory.write(rows)
        answer = memory(query)
    if write != "learned":  # twenty rows in twenty places, not rounded
        assert torch.equal(memory.memory, rows.transpose(0, 1))
    assert torch.equal(answer, memory(query))
    logits = (query.bfloat16().transpose(0, 1) @ rows.bfloat16().permute(1, 2, 0)).float()
    careless = logits.softmax(dim=-1) @ rows.transpose(0, 1)
    assert (careless.transpose(0, 1) - answer).abs().max() > 0.01  # what it would be otherwise


def test_answers_have_the_query_s_type():
    memory = _memory()
    answer = memory(_tokens(2).bfloat16())
    assert answer.dtype == torch.bfloat16
    torch.testing.assert_close(answer, memory(_tokens(2).bfloat16().float()).bfloat16())


# errors


@pytest.mark.parametrize(("options", "message"), [
    ({"locations": 0}, "locations, slots and dim must be at least 1"),
    ({"slots": 0}, "locations, slots and dim must be at least 1"),
    ({"dim": 0}, "locations, slots and dim must be at least 1"),
    ({"scope": "all"}, "scope must be one of 'local', 'global', got 'all'"),
    ({"write": "lifo"}, "write must be one of"),
    ({"sparsify": "top"}, "sparsify must be one of"),
    ({"reduce": "mean"}, "reduce must be one of"),
    ({"noise": "test", "sparsify": "gumbel_topk"}, "noise must be one of"),
    ({"noise": "train"}, "noise must be 'never' unless sparsify is 'gumbel_topk'"),
    ({"top_k": 7}, "top_k must be from 1 to 6, the rows in scope"),
    ({"top_k": 0}, "top_k must be from 1 to 6"),
    ({"top_k": 25, "scope": "global"}, "top_k must be from 1 to 24"),
    ({"top_k": 1, "sparsify": "topk_strict"}, "top_k must be from 2 to 6"),
    ({"threshold": 1.0}, r"threshold must lie in \[0, 1\)"),
    ({"threshold": float("nan")}, "threshold must lie"),
    ({"temperature": 0.0}, "temperature must be positive"),
    ({"temperature": float("nan")}, "temperature must be positive"),
    ({"similarity": 1.1}, r"similarity must lie in \[-1, 1\]"),
])  # fmt: skip
def test_arguments_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        SpaceAwareMemory(**{"locations": P, "slots": S, "dim": D, **options})


def test_top_k_up_to_the_rows_in_scope():
    SpaceAwareMemory(P, S, D, top_k=S)
    SpaceAwareMemory(P, S, D, top_k=P * S, scope="global")
    SpaceAwareMemory(P, 1, D, sparsify="hard")  # keeps no number of rows


@pytest.mark.parametrize("shape", [(2, P + 1, D), (2, P, D - 1), (P, D), (2, P, D, 1)])
def test_features_of_another_shape(shape):
    memory = _memory(write="fifo")
    for use in (memory, memory.write):
        with pytest.raises(ValueError, match=r"features must be \(B, 4, 5\)"):
            use(torch.rand(shape))


@pytest.mark.parametrize("write", ["fifo", "replace_dissimilar"])
def test_the_memory_is_frozen_in_evaluation(write):
    memory = _memory(write=write).eval()
    before = _state(memory)
    with pytest.raises(RuntimeError, match="frozen in evaluation mode"):
        memory.write(_tokens(2))
    assert _same_state(_state(memory), before)


def test_a_learned_memory_is_neither_written_nor_grown():
    memory = _memory()
    with pytest.raises(RuntimeError, match="written by its optimizer"):
        memory.write(_tokens(2))
    with pytest.raises(RuntimeError, match="of 6 slots cannot grow; make it with slots=7"):
        memory.ensure_capacity(7)
    memory.ensure_capacity(6)


@pytest.mark.parametrize("reduce", ["weighted", "sum"])
@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize("sparsify", ["topk", "topk_strict", "gumbel_topk"])
@pytest.mark.parametrize("images", [0, 1, 3, 9])
def test_the_rows_kept_alone_answer_as_all_rows_do(images, sparsify, scope, reduce):
    torch.manual_seed(images)
    memory = SpaceAwareMemory(
        4, 70, 6, scope=scope, write="replace_dissimilar", sparsify=sparsify, top_k=2, reduce=reduce, similarity=1.0
    )
    if images:  # fewer, as many and more rows than are kept, of 70: the logits are padded
        memory.write(torch.randn(images, 4, 6))
    memory.eval()
    query = torch.randn(5, 4, 6)
    with_gradient = memory(query.clone().requires_grad_())
    with torch.no_grad():
        torch.testing.assert_close(memory(query), with_gradient.detach(), rtol=1e-5, atol=1e-6)
    assert images == 0 or with_gradient.any()
