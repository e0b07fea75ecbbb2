# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_anomaly.engines.objectives.simsid_stages import DiscriminatorStage, StudentStage, TeacherStage
from tests.helpers.simsid_detectors import RECIPES, REPORT, SIMSID, changed, make_detector, make_images, state

KINDS = [REPORT, SIMSID]
QUIET = {**REPORT, "memory": {**REPORT["memory"], "noise": "never"}}


def make(stage, generator=REPORT, options=None, **arguments):
    detector = make_detector(generator, **(options or {}))
    if stage is DiscriminatorStage:
        return DiscriminatorStage(detector).train()
    return stage(detector, detector.generator.make_teacher(), **arguments).train()


def twin(objective, **arguments):
    """Another one with the same weights and memories."""
    kind = REPORT if hasattr(objective.detector.generator, "inpainting") else SIMSID
    other = make(type(objective), kind, **arguments)
    other.load_state_dict(objective.state_dict())
    return other


def batch(objective, rows=range(4)):
    rows = torch.tensor(list(rows))
    return {"image": make_images(objective.detector, 10, seed=5)[rows], "row": rows}


def moved(objective, name, data):
    """What one step of the stage's update changes: names of the state, without their last part."""
    (update,) = objective.updates()
    assert update.name == name
    trained = {id(p) for p in update.parameters()}
    for p in objective.parameters():  # as the trainer
        p.requires_grad_(id(p) in trained)
    optimizer = torch.optim.SGD(update.parameters(), lr=0.1)
    before = state(objective)
    sum(update.terms(data).values()).backward()
    optimizer.step()
    return changed(objective, before)


# ---- teacher -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["sigmoid", "tanh"])
@pytest.mark.parametrize("recipe", KINDS)
def test_teacher_and_encoder_are_an_autoencoder(recipe, output):
    objective = make(TeacherStage, recipe, {"output": output})
    data = batch(objective)
    x = 2 * data["image"] - 1 if output == "tanh" else data["image"]
    logits = objective.teacher(objective.detector.generator.encode(x))[-1]
    picture = torch.tanh(logits) if output == "tanh" else torch.sigmoid(logits)
    torch.testing.assert_close(objective.terms(data), {"teacher": ((picture - x) ** 2).mean()})
    restored = objective.reconstruct(data["image"])
    torch.testing.assert_close(restored, picture / 2 + 0.5 if output == "tanh" else picture)


@pytest.mark.parametrize("recipe", KINDS)
def test_teacher_stage_trains_encoder_and_teacher_alone(recipe):
    objective = make(TeacherStage, recipe)
    names = moved(objective, "teacher", batch(objective))
    assert {name.split(".")[0] for name in names} == {"teacher", "detector"}
    assert all(n.startswith(("teacher.", "detector.generator.encoder.")) for n in names)


def test_teacher_stage_augments():
    objective = make(TeacherStage)
    data = batch(objective)
    mirrored = {"image": data["image"].flip(-1)}
    expected = objective.terms(mirrored)
    objective.augment = lambda x: x.flip(-1)
    torch.testing.assert_close(objective.terms(data), expected)


# ---- student -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", [QUIET, SIMSID])
@pytest.mark.parametrize("output", ["sigmoid", "tanh"])
def test_student_s_terms_equal_the_formulas(recipe, output):
    weights = {"student_weight": 2.0, "distillation_weight": 3.0, "inpainting_weight": 5.0}
    objective = make(StudentStage, recipe, {"output": output}, **weights)
    generator, data = objective.detector.generator, batch(objective)
    activation = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}[output]
    x = 2 * data["image"] - 1 if output == "tanh" else data["image"]
    generator.encoder.eval()
    objective.teacher.eval()
    features = generator.encode(x)
    painted, _ = generator.inpaint(features)
    student, teacher = generator.decode(painted), objective.teacher(features)
    student[-1], teacher[-1] = activation(student[-1]), activation(teacher[-1])
    expected = {
        "student": 2.0 * ((student[-1] - x) ** 2).mean(),
        "distillation": 3.0 * sum(((s - t) ** 2).mean() for s, t in zip(student, teacher, strict=True)),
        "inpainting": 5.0 * ((painted[-1] - features[-1]) ** 2).mean(),
    }
    torch.testing.assert_close(objective.train().terms(data), expected)


@pytest.mark.parametrize("recipe", KINDS)
def test_student_stage_leaves_encoder_teacher_and_discriminator_as_they_are(recipe):
    objective = make(StudentStage, recipe)
    objective.detector.train()  # as a validation leaves it
    objective.teacher.train()
    names = moved(objective, "student", batch(objective))
    parts = {name.split(".")[2] for name in names}
    assert parts == ({"memory", "inpainting", "decoder"} if recipe is REPORT else {"bottleneck", "decoder"})
    assert all(name.startswith("detector.generator.") for name in names)
    gradients = {name for name, p in objective.named_parameters() if p.grad is not None}
    assert not [n for n in gradients if n.startswith(("teacher.", "detector.generator.encoder", "detector.disc"))]


@pytest.mark.parametrize("recipe", KINDS)
def test_student_stage_builds_no_graph_into_what_the_stage_before_has_trained(recipe):
    objective = make(StudentStage, recipe)
    generator = objective.detector.generator
    frozen = [*generator.encoder.parameters(), *objective.teacher.parameters()]
    trained = {id(p) for p in objective.updates()[0].parameters()}
    assert trained == {id(p) for p in generator.parameters()} - {id(p) for p in frozen}
    assert all(p.requires_grad for p in frozen)  # as that stage leaves them
    sum(objective.terms(batch(objective)).values()).backward()
    assert all(p.grad is None for p in frozen)


@pytest.mark.parametrize("recipe", KINDS)
def test_cached_features_change_nothing(recipe):
    plain = make(StudentStage, recipe)
    cached = twin(plain)
    images = batch(plain, range(10))["image"]
    before = state(cached)
    cached.detector.train()
    assert cached.cache_features(images)
    assert not changed(cached, before)
    for rows in ([3, 0, 9, 5], [9, 9, 1, 2]):
        data = batch(plain, rows)
        expected, stored = plain._features(data["image"], data), cached._features(data["image"], data)
        for a, b in zip(stored, expected, strict=True):
            assert a.shape == b.shape
            torch.testing.assert_close(a, b, rtol=0.0, atol=1e-6)
        results = []
        for objective in (plain, cached):
            torch.manual_seed(0)
            results.append(objective.terms(data))
        torch.testing.assert_close(results[0], results[1])


def test_cache_is_used_kept_out_of_checkpoints_and_bounded():
    objective = make(StudentStage)
    images = batch(objective, range(10))["image"]
    before = set(objective.state_dict())
    assert objective.cache_features(images)
    assert set(objective.state_dict()) == before
    objective.detector.generator.encoder.forward = None
    objective.terms(batch(objective))
    needed = 10 * 16 * 8 * 4  # images, tokens, components, bytes
    for limit, fits in ((needed, True), (needed - 1, False)):
        objective = make(StudentStage, cache_bytes=limit)
        assert objective.cache_features(images) is fits
        assert (objective._cache is not None) is fits
        objective.terms(batch(objective))


def test_a_batch_without_rows_is_encoded():
    plain, cached = make(StudentStage, SIMSID), make(StudentStage, SIMSID)
    cached.load_state_dict(plain.state_dict())
    cached.cache_features(batch(plain, range(10))["image"])
    data = {"image": batch(plain, [4, 5, 6])["image"]}
    torch.testing.assert_close(cached.terms(data), plain.terms(data))


def test_student_stage_fills_the_report_s_memory_after_it_has_answered():
    objective = make(StudentStage, REPORT)
    memory = objective.detector.generator.memory.levels[0].memory
    memory.memory.zero_()
    memory.filled.zero_()
    answers = []
    memory.register_forward_hook(lambda *a: answers.append(a[2].detach()))
    data = batch(objective)
    objective.terms(data)
    assert memory.filled.all()
    objective.terms(data)
    assert not answers[0].any()
    assert answers[1].any()


@pytest.mark.parametrize("name", RECIPES)
def test_terms_are_float32_in_bfloat16(name):
    for stage in (TeacherStage, StudentStage, DiscriminatorStage):
        objective = make(stage, RECIPES[name])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            terms = objective.terms(batch(objective))
        assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in terms.values())


# ---- discriminator -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", KINDS)
def test_discriminator_stage_trains_the_discriminator_alone(recipe):
    objective = make(DiscriminatorStage, recipe)
    objective.detector.train()  # as a validation leaves it
    names = moved(objective, "discriminator", batch(objective))
    assert names
    assert all(name.startswith("detector.discriminator.") for name in names)


@pytest.mark.parametrize("recipe", KINDS)
def test_discriminator_sees_the_pictures_that_are_scored(recipe):
    objective = make(DiscriminatorStage, recipe, {"output": "tanh"})
    data = batch(objective)
    seen = []
    objective.detector.discriminator.register_forward_hook(lambda *a: seen.append((a[1][0], a[2])))
    terms = objective.terms(data)
    objective.eval()
    with torch.no_grad():
        torch.testing.assert_close(seen[0][0], 2 * data["image"] - 1)
        torch.testing.assert_close(seen[1][0], 2 * objective.detector.reconstruct(data["image"]) - 1)
    entropy = nn.BCEWithLogitsLoss()
    expected = entropy(seen[0][1], torch.ones(4)) + entropy(seen[1][1], torch.zeros(4))
    torch.testing.assert_close(terms, {"discriminator": expected})
    assert not seen[1][0].requires_grad


@pytest.mark.parametrize("recipe", KINDS)
def test_cached_pictures_change_nothing(recipe):
    plain = make(DiscriminatorStage, recipe)
    cached = twin(plain)
    before = state(cached)
    assert cached.cache_pictures(batch(plain, range(10))["image"])
    assert not changed(cached, before)
    for rows in ([3, 0, 9, 5], [9, 9, 1, 2]):
        data = batch(plain, rows)
        torch.testing.assert_close(cached._cache[data["row"]], plain._picture(data["image"]), rtol=0.0, atol=1e-6)
        torch.testing.assert_close(cached.terms(data), plain.terms(data))
    assert set(cached.state_dict()) == set(before)
    cached.detector.generator.forward = None
    cached.terms(batch(plain))


def test_pictures_that_would_fill_the_memory_are_not_cached():
    plain = make(DiscriminatorStage, KINDS[0])
    cached, images = twin(plain), batch(plain, range(10))["image"]
    cached.cache_bytes = images.nbytes - 1
    assert not cached.cache_pictures(images) and cached._cache is None
    torch.testing.assert_close(cached.terms(batch(plain, [3, 0])), plain.terms(batch(plain, [3, 0])))
    cached.cache_bytes = images.nbytes
    assert cached.cache_pictures(images)


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="any but 'map_logit'"):
        make(DiscriminatorStage, options={"score": "map_logit"})
    for stage, recipe in ((TeacherStage, SIMSID), (StudentStage, SIMSID), (DiscriminatorStage, REPORT)):
        objective = make(stage, recipe)
        with pytest.raises(ValueError, match="at least 2 images in training mode, got 1"):
            objective.terms(batch(objective, [0]))
