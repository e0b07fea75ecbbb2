# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from monai.data import DataLoader, Dataset
from torch import nn

from monai_anomaly.engines.objectives.simsid import SimSIDObjective, remember
from monai_anomaly.engines.trainer import ObjectiveTrainer
from tests.helpers.simsid_detectors import RECIPES, SIMSID, SIZE, SQUID, changed, make_detector, make_images, state


def make(generator=SIMSID, options=None, **arguments):
    detector = make_detector(generator, **(options or {}))
    return SimSIDObjective(detector, detector.generator.make_teacher(), **arguments).train()


def batch(objective, count=4, seed=5):
    return {"image": make_images(objective.detector, count, seed)}


def parameters(*modules):
    return [p for module in modules for p in module.parameters()]


def reached(loss, *modules):
    """Whether a loss has a gradient at any parameter of the modules."""
    gradients = torch.autograd.grad(loss, parameters(*modules), allow_unused=True, retain_graph=True)
    return any(g is not None and bool(g.any()) for g in gradients)


def make_trainer(objective, images, *, epochs=1, batch_size=12):
    data = Dataset([{"image": image} for image in images])
    modules = {update.name: update.modules for update in objective.updates()}
    optimizers = {name: torch.optim.SGD(parameters(*parts), lr=0.01) for name, parts in modules.items()}
    return ObjectiveTrainer("cpu", epochs, DataLoader(data, batch_size=batch_size), objective, optimizers)


# ---- losses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["tanh", "sigmoid"])
@pytest.mark.parametrize("name", RECIPES)
def test_terms_are_the_published_ones(name, output):
    objective = make(RECIPES[name], {"output": output})
    detector, generator, data = objective.detector, objective.detector.generator, batch(objective)
    entropy, ones, zeros = nn.BCEWithLogitsLoss(), torch.ones(4), torch.zeros(4)
    activation = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}[output]

    torch.manual_seed(0)
    terms = objective.generator_terms(data)
    other = make(RECIPES[name], {"output": output})  # a memory that was written would answer otherwise
    other.teacher.load_state_dict(objective.teacher.state_dict())
    detector, generator, teacher = other.detector, other.detector.generator, other.teacher
    x = 2 * data["image"] - 1 if output == "tanh" else data["image"]
    torch.manual_seed(0)
    features = generator.encode(x)
    student = generator.decode(generator.inpaint(features)[0])
    taught = teacher(features)
    distance = sum(((s - t) ** 2).mean() for s, t in zip(student[:-1], taught[:-1], strict=True))
    picture = activation(student[-1])
    expected = {
        "student": 10.0 * ((picture - x) ** 2).mean(),
        "teacher": 0.01 * ((activation(taught[-1]) - x) ** 2).mean(),
        "distillation": 0.001 * distance,
        "adversarial": 0.005 * entropy(detector.discriminator(picture), ones),
    }
    torch.testing.assert_close(terms, expected)

    torch.manual_seed(0)
    terms = objective.discriminator_terms(data)
    torch.manual_seed(0)
    picture = activation(objective.detector.generator(x))
    judge = objective.detector.discriminator
    expected = {"discriminator": 0.005 * (entropy(judge(x), ones) + entropy(judge(picture), zeros))}
    torch.testing.assert_close(terms, expected)


def test_weights_scale_their_terms_alone():
    names = ("student_weight", "teacher_weight", "distillation_weight", "adversarial_weight", "discriminator_weight")

    def terms(**weights):
        objective = make(**{**dict.fromkeys(names, 1.0), **weights})
        torch.manual_seed(0)
        objective.teacher.apply(lambda m: m.reset_parameters() if hasattr(m, "reset_parameters") else None)
        data = batch(objective)
        return objective.discriminator_terms(data) | objective.generator_terms(data)

    plain = terms()
    for name in names:
        for key, value in terms(**{name: 3.0}).items():
            torch.testing.assert_close(value, plain[key] * (3.0 if f"{key}_weight" == name else 1.0))


def test_augmentation_changes_the_images_of_both():
    data = batch(make())
    mirrored = {"image": data["image"].flip(-1)}
    for name in ("discriminator_terms", "generator_terms"):
        results = []
        for images, augment in ((data, lambda x: x.flip(-1)), (mirrored, None), (data, None)):
            objective = make(augment=augment)
            objective.teacher.load_state_dict(make().teacher.state_dict())
            results.append(getattr(objective, name)(images))
        torch.testing.assert_close(results[0], results[1])
        assert results[0] != results[2]


@pytest.mark.parametrize("name", RECIPES)
def test_terms_are_float32_and_close_in_bfloat16(name):
    objective = make(RECIPES[name], {"output": "tanh"})
    data = batch(objective)
    for terms in (objective.discriminator_terms, objective.generator_terms):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            results = terms(data)
        assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in results.values())
        sum(results.values()).backward()


# ---- who learns from what ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_gradients_go_where_they_should(name):
    objective = make(RECIPES[name])
    generator, discriminator = objective.detector.generator, objective.detector.discriminator
    painter = [part for key, part in generator.named_children() if key not in ("encoder", "patches")]
    terms = objective.generator_terms(batch(objective))
    assert not reached(terms["teacher"], generator, discriminator)
    assert reached(terms["teacher"], objective.teacher)
    for term in ("student", "adversarial"):
        assert reached(terms[term], *painter)
        assert reached(terms[term], generator.encoder)  # in the report's through the choice of rows alone
        assert not reached(terms[term], objective.teacher)
    for side in (painter, [objective.teacher]):  # the teacher comes to meet the student, as published
        assert reached(terms["distillation"], *side)
    assert not reached(terms["student"], discriminator)
    judged = objective.discriminator_terms(batch(objective))["discriminator"]
    assert reached(judged, discriminator)
    assert not reached(judged, generator, objective.teacher)


def test_an_iteration_changes_each_network_in_its_own_update():
    objective = make()
    images = batch(objective, 12)["image"]
    steps = []

    class Watched(torch.optim.SGD):
        def step(self, *args, **kwargs):
            before = {name: p.detach().clone() for name, p in objective.named_parameters()}
            super().step(*args, **kwargs)
            moved = {n for n, p in objective.named_parameters() if not torch.equal(p, before[n])}
            grads = {n for n, p in objective.named_parameters() if p.requires_grad}
            steps.append([{n.replace("detector.", "").split(".")[0] for n in names} for names in (moved, grads)])

    modules = {update.name: update.modules for update in objective.updates()}
    optimizers = {name: Watched(parameters(*parts), lr=0.1) for name, parts in modules.items()}
    data = DataLoader(Dataset([{"image": image} for image in images]), batch_size=12)
    ObjectiveTrainer("cpu", 1, data, objective, optimizers).run()
    both = {"generator", "teacher"}
    assert steps == [[{"discriminator"}] * 2] * 2 + [[both, both]]


def test_no_graph_and_no_teacher_in_the_discriminator_s_step():
    objective = make()
    objective.teacher.forward = None
    seen = []
    objective.detector.generator.decoder.register_forward_hook(lambda *a: seen.append(a[2][-1].requires_grad))
    objective.discriminator_terms(batch(objective))
    assert seen == [False]


# ---- memory ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["squid", "report"])
def test_memory_is_written_after_it_has_answered_and_in_generator_steps_alone(name):
    objective = make(RECIPES[name])
    generator, data = objective.detector.generator, batch(objective)
    before = {k: v for k, v in state(generator).items() if "memory" in k and "decoder" not in k}

    def written():
        return any(not torch.equal(v, before[k]) for k, v in generator.state_dict().items() if k in before)

    objective.discriminator_terms(data)
    assert not written()
    expected = make(RECIPES[name])
    expected.teacher.load_state_dict(objective.teacher.state_dict())
    expected.detector.generator.remember = lambda tokens: None
    torch.manual_seed(0)
    terms = objective.generator_terms(data)
    torch.manual_seed(0)
    torch.testing.assert_close(terms, expected.generator_terms(data))
    assert written()
    sum(terms.values()).backward()  # of the memory as it was when it answered
    before = {k: v for k, v in state(generator).items() if k in before}
    objective.eval()
    with torch.no_grad():
        objective.detector(data["image"])
        objective.discriminator_terms(data)
    assert not written()
    with pytest.raises(RuntimeError, match="frozen in evaluation mode"):
        objective.generator_terms(data)


def test_a_queue_holds_the_tokens_of_the_last_generator_steps():
    objective = make(SQUID)
    memory = objective.detector.generator.bottleneck.memory
    tokens = []
    objective.detector.generator.bottleneck.register_forward_hook(lambda *a: tokens.append(a[2][1].detach()))
    pointer = int(memory.pointer)
    for seed in (1, 2):
        objective.discriminator_terms(batch(objective, 4, seed))
        objective.generator_terms(batch(objective, 3, seed))
    rows = torch.cat([tokens[1], tokens[3]]).transpose(0, 1)
    assert torch.equal(memory.memory[:, [(pointer + i) % 6 for i in range(6)]], rows)


def test_a_resumed_run_is_the_run_that_was_never_killed(tmp_path):
    images = torch.rand(24, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(3))

    def trained(objective, part):
        torch.manual_seed(int(part[0].sum()))
        make_trainer(objective, part).run()
        return objective

    whole = trained(trained(make(SQUID), images[:12]), images[12:])
    first = make(SQUID)
    torch.save(trained(first, images[:12]).state_dict(), tmp_path / "state.pt")
    second = make(SQUID)
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert not changed(trained(second, images[12:]), state(whole))


def test_a_queue_stores_the_tokens_of_all_processes(monkeypatch):
    objective, tokens = make(SQUID), torch.rand(3, 4, 16, requires_grad=True)
    gathered = []

    def all_gather(own):  # of this process and of another one
        gathered.append(own)
        return torch.cat([own, own + 10.0])

    monkeypatch.setattr("ignite.distributed.all_gather", all_gather)
    remember(objective.detector, tokens.bfloat16())
    memory = objective.detector.generator.bottleneck.memory
    own = tokens.detach().bfloat16().float()
    assert torch.equal(memory.memory[:, [4, 5, 0, 1, 2, 3]], torch.cat([own, own + 10.0]).transpose(0, 1))
    assert int(memory.pointer) == 4  # the detector was made with 4 rows of 6
    remember(make().detector, tokens)
    assert len(gathered) == 1  # a learned memory sends nothing


# ---- errors ------------------------------------------------------------------------------------------------------


def test_a_single_image_cannot_be_trained_on():
    for recipe in RECIPES.values():
        objective = make(recipe)
        for terms in (objective.discriminator_terms, objective.generator_terms):
            with pytest.raises(ValueError, match="needs at least 2 images in training mode, got 1; raise the batch"):
                terms(batch(objective, 1))


def test_refuses_what_does_not_fit():
    detector = make_detector(score="map_logit")
    with pytest.raises(ValueError, match=r"any but 'map_logit', .* set score, or train with SimSIDSyntheticObjective"):
        SimSIDObjective(detector, detector.generator.make_teacher())
    with pytest.raises(ValueError, match="repeats of update 'discriminator' must be at least 1"):
        make(n_critic=0).updates()
    objective = make()
    other = make_detector({**SIMSID, "channels": (4, 8, 8)})
    objective.teacher = other.generator.make_teacher()
    with pytest.raises((ValueError, RuntimeError)):
        objective.generator_terms(batch(objective))
