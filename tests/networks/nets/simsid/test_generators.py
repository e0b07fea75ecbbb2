# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io

import pytest
import torch

from monai_anomaly.networks.blocks.memory.space_aware_memory import SpaceAwareMemory
from monai_anomaly.networks.blocks.memory.window_memory import WindowMemory
from monai_anomaly.networks.nets.simsid.generators import TokenGenerator, UNetGenerator, make_generator
from tests.helpers.simsid_detectors import (
    RECIPES,
    REPORT,
    SIMSID,
    SIZE,
    SQUID,
    changed,
    make_detector,
    make_images,
    state,
)

STRICT = {"sparsify": "topk_strict", "top_k": 5}


def _count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def _millions(number):
    return round(number / 1e6, 2)


def _generator(recipe):
    detector = make_detector(recipe)
    return detector.generator, make_images(detector)


# ---- published sizes ---------------------------------------------------------------------------------------------


def test_simsid_has_the_published_number_of_parameters():
    with torch.device("meta"):
        student = UNetGenerator(memory=STRICT, decoder_memory=STRICT, mask_border=False)
        teacher = student.make_teacher()
    bottleneck, windows = student.bottleneck.memory, [step.memory for step in student.decoder.steps[:2]]
    assert [tuple(memory.memory.shape) for memory in (bottleneck, *(w.memory for w in windows))] == [
        (4, 200, 2048),
        (4, 200, 4096),
        (4, 200, 8192),
    ]
    assert [_millions(_count(w)) for w in windows] == [3.28, 6.55]
    assert _millions(_count(student.encoder)) == 7.86
    assert _millions(_count(student.decoder) - _count(*windows)) == _millions(_count(teacher)) == 3.88
    assert round((_count(student.bottleneck) - _count(bottleneck)) / 1e6, 1) == 19.0
    assert _millions(_count(student.bottleneck.inpainting.attention)) == 16.79
    assert round(_count(student, teacher) / 1e6, 1) == 46.1


def test_squid_has_the_published_number_of_parameters_and_a_queue_besides():
    with torch.device("meta"):
        student = UNetGenerator(memory={"write": "fifo", **STRICT}, decoder_memory=STRICT, shortcut=0.95)
        teacher = student.make_teacher()
    assert round(_count(student, teacher) / 1e6, 1) == 44.5
    assert _millions(student.bottleneck.memory.memory.numel()) == 1.64


@torch.no_grad()
def test_maps_of_the_published_unet():
    with torch.device("meta"):  # which autocast and so the memories do not know
        generator = UNetGenerator(decoder_memories=0).eval()
        features = generator.encode(torch.empty(1, 1, 128, 128))
        outputs = generator.decode(features)
    assert [tuple(f.shape) for f in features] == [(4, 128, 16, 16), (4, 256, 8, 8), (4, 512, 4, 4)]
    assert generator.bottleneck.token_shape == (128, 4, 4)
    assert generator.bottleneck.widen[0].in_channels == 131
    assert [tuple(o.shape) for o in outputs] == [
        (4, 256, 8, 8),
        (4, 128, 16, 16),
        (1, 64, 64, 64),
        (1, 32, 128, 128),
        (1, 1, 128, 128),
    ]


@torch.no_grad()
def test_report_has_64_tokens_of_64_and_one_row_per_patch_block_and_image():
    with torch.device("meta"):
        generator = TokenGenerator(memory=REPORT["memory"]).eval()
        (tokens,) = generator.encode(torch.empty(1, 1, 128, 128))
        outputs = generator.decode([tokens])
    assert tuple(tokens.shape) == (1, 64, 64)
    assert [tuple(level.memory.memory.shape) for level in generator.memory.levels] == [
        (64, 1, 64),
        (16, 1, 64),
        (1, 1, 64),
    ]
    assert generator.inpainting.projection.in_features == 192
    assert [tuple(o.shape[1:]) for o in outputs] == [(128, 16, 16), (64, 32, 32), (32, 64, 64), (1, 128, 128)]
    assert round(_count(generator.decoder) / 1e6, 1) == 67.8
    assert round(_count(generator.encoder) / 1e6, 1) == 0.4


# ---- the three steps ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("channels", [1, 3])
@torch.no_grad()
def test_steps_make_an_image_s_logits(name, channels):
    detector = make_detector(RECIPES[name], in_channels=channels)
    generator, images = detector.generator, make_images(detector, 3)
    features = generator.encode(images)
    painted, tokens = generator.inpaint(features)
    outputs = generator.decode(painted)
    assert [f.shape for f in painted] == [f.shape for f in features]
    assert tokens.shape[:2] == (3, 16 if name == "report" else 4)
    assert outputs[-1].shape == (3, channels, SIZE, SIZE)
    assert torch.equal(generator(images), outputs[-1])
    teacher = generator.make_teacher().eval()(features)
    assert [t.shape for t in teacher] == [o.shape for o in outputs]


@torch.no_grad()
def test_only_the_deepest_maps_are_passed_on():
    for skips in (0, 1, 2):
        generator, images = _generator({**SIMSID, "skips": skips})
        maps = generator.encoder(generator.patches.split(images).flatten(0, 1))
        features = generator.encode(images)
        assert len(features) == skips + 1
        assert all(torch.equal(f, m) for f, m in zip(features, maps[2 - skips :], strict=True))
        painted, _ = generator.inpaint(features)
        assert all(torch.equal(f, p) for f, p in zip(features[:-1], painted[:-1], strict=True))
        assert not torch.allclose(features[-1], painted[-1])


@pytest.mark.parametrize("name", RECIPES)
@torch.no_grad()
def test_every_patch_is_encoded_by_itself(name):
    generator, images = _generator(RECIPES[name])
    count, cols = generator.patches.locations, generator.patches.cols
    other, touched = images.clone(), count + cols - 1  # in the second image, the last patch of the first row
    other[1, :, : SIZE // cols, -SIZE // cols :] += 1.0
    for before, after in zip(generator.encode(images), generator.encode(other), strict=True):
        rows = [x.reshape(len(images) * count, -1) for x in (before, after)]
        assert (rows[0] != rows[1]).any(dim=1).nonzero().flatten().tolist() == [touched]


@torch.no_grad()
def test_report_paints_from_the_memory_alone():
    generator, images = _generator(REPORT)
    (tokens,) = generator.encode(images)
    retrieved = generator.memory(tokens)
    (painted,), asked = generator.inpaint([tokens])
    assert torch.equal(asked, tokens)
    assert torch.equal(painted, generator.inpainting(torch.randn_like(tokens), retrieved))


@pytest.mark.parametrize("name", RECIPES)
@torch.no_grad()
def test_teacher_is_the_student_s_decoder_without_memories(name):
    generator, images = _generator(RECIPES[name])
    teacher = generator.make_teacher().eval()
    assert not [m for m in teacher.modules() if isinstance(m, (SpaceAwareMemory, WindowMemory))]
    assert not {id(p) for p in teacher.parameters()} & {id(p) for p in generator.parameters()}
    weights = {k: v for k, v in generator.decoder.state_dict().items() if ".memory." not in k}
    teacher.decoder.load_state_dict(weights)
    plain = make_detector({**RECIPES[name], "decoder_memories": 0} if name != "report" else REPORT).generator
    plain.decoder.load_state_dict(weights)
    features = generator.encode(images)
    assert all(torch.equal(t, s) for t, s in zip(teacher(features), plain.decode(features), strict=True))


@pytest.mark.parametrize("name", RECIPES)
def test_gradient_reaches_every_parameter(name):
    generator, images = _generator(RECIPES[name])
    generator.train()
    outputs = generator.decode(generator.inpaint(generator.encode(images))[0])
    sum((x - 0.3).square().mean() for x in outputs).backward()
    without = {n for n, p in generator.named_parameters() if p.grad is None or not p.grad.any()}
    # a bias before a batch normalization has no effect; rounding may hide it or not
    assert all(n.endswith(".conv.bias") for n in without)


# ---- memory ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["squid", "report"])
@torch.no_grad()
def test_remember_stores_tokens_and_scoring_none(name):
    generator, images = _generator(RECIPES[name])
    before = state(generator)
    tokens = generator.inpaint(generator.encode(images))[1]
    generator(images)
    assert not changed(generator, before)
    with pytest.raises(RuntimeError, match="frozen in evaluation mode"):
        generator.remember(tokens)
    generator.train().remember(tokens + 5.0)
    names = changed(generator, before)
    assert names
    assert all("memory" in n for n in names)
    if name == "squid":  # the ring held 4 of 6 rows of the first images
        rows = generator.bottleneck.memory.memory
        assert torch.equal(rows[:, [4, 5, 0, 1]], (tokens + 5.0).transpose(0, 1))


@torch.no_grad()
def test_a_learned_memory_stores_nothing():
    generator, _ = _generator(SIMSID)
    generator.train()
    before = state(generator)
    generator.remember(torch.rand(4, 4, generator.bottleneck.memory.dim))
    assert not changed(generator, before)


@pytest.mark.parametrize("name", RECIPES)
@torch.no_grad()
def test_a_checkpoint_brings_the_memory_along(name):
    (trained, images), other = _generator(RECIPES[name]), make_detector(RECIPES[name], seed=3).generator
    file = io.BytesIO()
    torch.save(trained.state_dict(), file)
    file.seek(0)
    assert not torch.allclose(trained(images), other(images))
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(trained(images), other(images))


# ---- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["simsid", "squid"])
def test_a_single_image_cannot_be_trained_on(name):
    generator, images = _generator(RECIPES[name])
    with pytest.raises(ValueError, match="at least 2 images in training mode, got 1; raise the batch size"):
        generator.train()(images[:1])


@pytest.mark.parametrize(
    ("recipe", "changes", "message"),
    [
        (SIMSID, {"grid": 3}, r"grid must divide image_size, but \(3, 3\) does not divide \(16, 16\)"),
        (REPORT, {"grid": 5}, "grid must divide image_size"),
        (SIMSID, {"grid": 1}, "more neighbors than the grid of 1 x 1"),
        (SIMSID, {"neighborhood": 5}, "more neighbors than the grid of 2 x 2"),
        (REPORT, {"inpainting": {"neighborhood": 9}}, "more neighbors than the grid of 4 x 4"),
        (SIMSID, {"slots": 2}, "top_k must be from 2 to 2, the rows in scope.*give the memory more slots"),
        (SIMSID, {"skips": 3}, r"skips must lie in \[0, 2\]"),
        (SIMSID, {"decoder_memories": 2}, r"decoder_memories must lie in \[0, 1\]"),
        (SIMSID, {"merge_at": 3}, r"merge_at must lie in \[0, 2\]"),
        (SIMSID, {"decoder_memory": {"write": "fifo"}}, "the decoder's memories must be learned"),
        (SIMSID, {"channels": (4, 4, 4, 4, 4)}, r"multiples of 16 for 5 channels, got \(8, 8\); change image_size"),
        (SIMSID, {"shortcut": 0.0}, "shortcut must lie in"),
        (SIMSID, {"decoder_shortcut": 2.0}, "shortcut must lie in"),
        (SIMSID, {"heads": 3}, "heads must divide"),
        (SIMSID, {"kind": "gan"}, "kind must be one of 'unet', 'tokens', got 'gan'"),
        (SIMSID, {"slot": 3}, "generator 'unet': got an unexpected keyword argument 'slot'.*; see UNetGenerator"),
        (REPORT, {"memory": {"slot": 3}}, "generator 'tokens': got an unexpected keyword argument 'slot'"),
        (REPORT, {"dim": 9}, "heads must divide"),
        (REPORT, {"stem": "conv"}, "stem must be one of"),
    ],
)
def test_refuses_arguments_that_do_not_fit(recipe, changes, message):
    with pytest.raises(ValueError, match=message):
        make_generator(image_size=SIZE, **{**recipe, **changes})


@pytest.mark.parametrize("recipe", [SIMSID, SQUID])
def test_refuses_a_checkpoint_of_another_memory(recipe):
    stored = make_detector(recipe).generator.state_dict()
    other = make_generator(image_size=SIZE, **{**recipe, "slots": 7})
    with pytest.raises(RuntimeError, match=r"holds \(4, 6, 16\) \(locations, slots, dim\), this memory \(4, 7, 16\)"):
        other.load_state_dict(stored)
