# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math

import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader, Dataset
from torch import nn

from monai_anomaly.data.sets.epoch_sampler import EpochSampler
from monai_anomaly.engines.objectives.ocad import OCADObjective, mix
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.handlers.training.descriptor_schedule import DescriptorSchedule
from monai_anomaly.handlers.training.epoch_seed import EpochSeed
from monai_anomaly.handlers.training.score_statistics import ScoreStatistics
from monai_anomaly.handlers.training.training_checkpoint import TrainingCheckpoint
from monai_anomaly.networks.nets.ocad.critics import ImageCritic, LatentCritic
from monai_anomaly.transforms.batch_augment import BatchAugment
from tests.helpers.ocad_detectors import (
    MAP,
    RESNET,
    SIZE,
    VECTOR,
    changed,
    distance,
    make_detector,
    make_images,
    similarity,
    state,
)

NOW = {"quiet_epochs": 0, "ramp_epochs": 0}  # the Gaussian term weighs from the start
LATENT_SIZES = {"vector": 5, "map": 3 * 4 * 4}
KINDS = [("vector", "image"), ("map", "image"), ("vector", "latent"), ("map", "latent")]


def make(recipe=VECTOR, options=None, *, critic=None, seed=0, **arguments):
    detector = make_detector(recipe, seed=seed, **(options or {}))
    if critic is None:
        latent = LATENT_SIZES[recipe.get("latent", "vector")]
        on_latents = arguments.get("critic_input") == "latent"
        critic = LatentCritic(latent, 7) if on_latents else ImageCritic(SIZE, 3, (4, 8))
        with torch.no_grad():
            for parameter in critic.parameters():
                parameter.mul_(3.0)  # else its answers are all alike
    return OCADObjective(detector, critic, **{**NOW, **arguments}).train()


def batch(objective, count=4, seed=5):
    return {"image": make_images(objective.detector, count, seed)}


def parameters(*modules):
    return [p for module in modules for p in module.parameters()]


def reached(loss, *modules):
    """Whether a loss has a gradient at any parameter of the modules."""
    if not loss.requires_grad:
        return False
    wanted = [p for p in parameters(*modules) if p.requires_grad]
    if not wanted:
        return False
    gradients = torch.autograd.grad(loss, wanted, allow_unused=True, retain_graph=True)
    return any(g is not None and bool(g.any()) for g in gradients)


def make_trainer(objective, images, *, epochs=1, batch_size=8, optimizer=torch.optim.SGD, handlers=()):
    data = Dataset([{"image": image} for image in images])
    modules = {update.name: update.modules for update in objective.updates()}
    optimizers = {name: optimizer(parameters(*parts), lr=0.01) for name, parts in modules.items()}
    loader = DataLoader(data, batch_size=batch_size, sampler=EpochSampler(data, num_samples=len(images), seed=4))
    trainer = ObjectiveTrainer("cpu", epochs, loader, objective, optimizers)
    for handler in (EpochSeed(3, loader), *handlers):
        handler.attach(trainer)
    return trainer


class Recorder(nn.Module):
    """A critic that keeps what it is shown and answers as told."""

    def __init__(self, answer=lambda x: x.flatten(1)[:, :1] * 0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.answer = answer
        self.seen = []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return self.answer(x) + self.weight


# ---- mixtures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 5), (4, 3, 2, 2)])
def test_mix_is_the_weighted_sum_of_each_pair(shape):
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(shape, generator=generator) for _ in range(2))
    alpha = torch.rand(4, 1, generator=generator)
    result = mix(first, second, alpha)
    for i in range(4):
        a = float(alpha[i])
        torch.testing.assert_close(result[i], a * first[i] + (1.0 - a) * second[i])
    assert torch.equal(mix(first, second, torch.zeros(4, 1)), second)
    assert torch.equal(mix(first, second, torch.ones(4, 1)), first)
    low = mix(first.bfloat16(), second.bfloat16(), torch.zeros(4, 1))
    assert torch.equal(low, second.bfloat16())


@pytest.mark.parametrize("step", ["critic_terms", "generator_terms"])
@pytest.mark.parametrize(("name", "critic_input"), KINDS)
def test_at_alpha_zero_the_critic_sees_the_partner_s_picture(name, critic_input, step, monkeypatch):
    objective = make({"vector": VECTOR, "map": MAP}[name], critic=Recorder(), critic_input=critic_input)
    data = batch(objective)
    monkeypatch.setattr(torch, "rand", lambda *size, **_: torch.zeros(*size))
    getattr(objective, step)(data)
    monkeypatch.undo()
    with torch.no_grad():
        latent = objective.detector.encode(data["image"])
        partner = latent.roll(1, 0)
        expected = objective.detector.decode(partner) if critic_input == "image" else partner
    assert torch.equal(objective.critic.seen[0], expected)
    assert torch.equal(partner, torch.stack([latent[i - 1] for i in range(4)]))


def test_one_coefficient_below_a_half_for_each_image_and_never_itself():
    objective = make(critic=Recorder(), critic_input="latent")
    data = batch(objective, 8)
    with torch.no_grad():
        z = objective.detector.encode(data["image"])
    found = []
    torch.manual_seed(0)
    for _ in range(60):
        objective.critic_terms(data)
        mixture = objective.critic.seen[-2]
        partner = z.roll(1, 0)
        alpha = ((mixture - partner) * (z - partner)).sum(dim=1) / (z - partner).square().sum(dim=1)
        torch.testing.assert_close(alpha[:, None] * z + (1.0 - alpha[:, None]) * partner, mixture)
        found.append(alpha)
    alphas = torch.stack(found)
    assert -1e-5 < alphas.min() < 0.01
    assert 0.49 < alphas.max() < 0.5 + 1e-5
    assert alphas.mean() == pytest.approx(0.25, abs=0.02)
    assert (alphas.std(dim=1) > 0.01).all()


# ---- losses ----------------------------------------------------------------------------------------------------------


@torch.no_grad()
def _reconstruction(detector, image, picture):
    """0.85 (1 - MS-SSIM) + 0.15 L1 of one image, at one scale."""
    x, y = ((part.double().numpy() - detector.low) / detector.width for part in (image, picture))
    return 0.85 * (1.0 - max(similarity(x, y).mean(), 1e-4)) + 0.15 * abs(x - y).mean()


@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-3.0, 2.0)])
@pytest.mark.parametrize(("name", "critic_input"), KINDS)
@torch.no_grad()
def test_terms_are_the_published_ones_image_by_image(name, critic_input, value_range):
    objective = make(
        {"vector": VECTOR, "map": MAP}[name],
        {"value_range": value_range},
        critic_input=critic_input,
        interpolation_weight=0.3,
        gaussian_weight=0.7,
        gamma=0.4,
    )
    detector, critic = objective.detector, objective.critic
    detector.descriptor.center.add_(100.0)  # the detector's own is not what is trained with
    images = batch(objective)["image"]
    torch.manual_seed(0)
    result = {**objective.critic_terms({"image": images}), **objective.generator_terms({"image": images})}

    torch.manual_seed(0)
    coefficients = [[0.5 * float(u) for u in torch.rand(4)] for _ in range(2)]  # of the critic's step, the generator's
    z = [detector.encode(image[None]) for image in images]
    sums = dict.fromkeys(result, 0.0)
    for i, image in enumerate(images):
        picture = detector.decode(z[i])
        judged = []
        for drawn in coefficients:
            a = drawn[i]
            mixture = a * z[i] + (1.0 - a) * z[i - 1]
            judged.append(float(critic(detector.decode(mixture) if critic_input == "image" else mixture)))
        plain = picture + 0.4 * (image[None] - picture) if critic_input == "image" else z[i]
        flat = z[i][0].flatten(1).T if z[i].dim() == 4 else z[i]
        far = [1.0 - math.exp(-distance(one, objective.descriptor)) for one in flat]
        sums["critic_mixture"] += (judged[0] - coefficients[0][i]) ** 2
        sums["critic_plain"] += float(critic(plain)) ** 2
        sums["reconstruction"] += _reconstruction(detector, image, picture[0])
        sums["gaussian"] += 0.7 * sum(far) / len(far)
        sums["interpolation"] += 0.3 * judged[1] ** 2
    assert list(result) == ["critic_mixture", "critic_plain", "reconstruction", "gaussian", "interpolation"]
    for term, value in result.items():
        assert value.shape == ()
        assert float(value) == pytest.approx(sums[term] / 4, rel=2e-3, abs=1e-5), term
        assert float(value) > 1e-4


def test_weights_scale_their_terms_alone():
    def terms(**weights):
        objective = make(**{"gaussian_weight": 0.2, "interpolation_weight": 0.2, **weights})
        torch.manual_seed(0)
        return {**objective.critic_terms(batch(objective)), **objective.generator_terms(batch(objective))}

    plain = terms()
    for name in ("gaussian", "interpolation"):
        for key, value in terms(**{f"{name}_weight": 0.6}).items():
            torch.testing.assert_close(value, plain[key] * (3.0 if key == name else 1.0))


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_gamma_leads_from_the_restored_image_to_the_image(gamma):
    objective = make(critic=Recorder(), gamma=gamma)
    data = batch(objective)
    objective.critic_terms(data)
    with torch.no_grad():
        expected = data["image"] if gamma else objective.detector.reconstruct(data["image"])
    torch.testing.assert_close(objective.critic.seen[1], expected)


@pytest.mark.parametrize("critic_input", ["image", "latent"])
def test_a_critic_that_knows_the_coefficients_has_no_first_error(critic_input):
    alpha = torch.rand(4, 1, generator=torch.Generator().manual_seed(0)) * 0.5
    objective = make(critic=Recorder(lambda x: alpha), critic_input=critic_input)
    torch.manual_seed(0)
    terms = objective.critic_terms(batch(objective))
    assert float(terms["critic_mixture"]) < 1e-12
    assert float(terms["critic_plain"]) == pytest.approx(float(alpha.square().mean()))
    assert float(objective.critic_terms(batch(objective))["critic_mixture"]) > 1e-3  # of other coefficients


def test_augmentation_changes_the_images_of_both_steps():
    data = batch(make())
    mirrored = {"image": data["image"].flip(-1)}
    for name in ("critic_terms", "generator_terms"):
        results = []
        for images, augment in ((data, lambda x: x.flip(-1)), (mirrored, None), (data, None)):
            objective = make(augment=augment)
            torch.manual_seed(0)
            results.append(getattr(objective, name)(images))
        torch.testing.assert_close(results[0], results[1])
        assert results[0] != results[2]


@pytest.mark.parametrize(("name", "critic_input"), KINDS)
def test_terms_are_float32_and_close_in_bfloat16(name, critic_input):
    objective = make({"vector": VECTOR, "map": MAP}[name], critic_input=critic_input)
    data = batch(objective)
    for terms in (objective.critic_terms, objective.generator_terms):
        torch.manual_seed(0)
        expected = terms(data)
        torch.manual_seed(0)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            results = terms(data)
        assert all(value.dtype == torch.float32 for value in results.values())
        torch.testing.assert_close(results, expected, atol=0.02, rtol=0.1)
        sum(results.values()).backward()


# ---- the Gaussian term -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quiet", "ramp", "expected"),
    [
        (0, 0, [0.8, 0.8, 0.8]),
        (2, 0, [0.0, 0.0, 0.8, 0.8]),
        (0, 3, [0.2, 0.4, 0.6, 0.8, 0.8]),
        (1, 1, [0.0, 0.4, 0.8, 0.8]),
    ],
)
def test_the_weight_is_that_of_the_epoch_whatever_came_before(quiet, ramp, expected):
    objective = make(gaussian_weight=0.8, quiet_epochs=quiet, ramp_epochs=ramp)
    data = batch(objective)
    order = [*range(1, len(expected) + 1), *range(len(expected), 0, -1)]
    for epoch in order:
        objective.begin_epoch(epoch)
        weight = expected[epoch - 1]
        assert objective.metrics()["gaussian_weight"] == pytest.approx(weight)
        terms = objective.generator_terms(data)
        if weight == 0.0:
            assert "gaussian" not in terms
        else:
            far = objective.descriptor(objective.detector.encode(data["image"]))
            torch.testing.assert_close(terms["gaussian"], weight * (1.0 - (-far).exp()).mean())


def test_before_its_first_epoch_the_weight_is_that_of_no_schedule():
    assert make(quiet_epochs=0, ramp_epochs=0, gaussian_weight=0.8).metrics()["gaussian_weight"] == 0.8
    assert make(quiet_epochs=0, ramp_epochs=1).metrics()["gaussian_weight"] == 0.0


def test_refresh_takes_the_descriptor_of_all_normals_and_leaves_the_rest():
    objective = make()
    images = make_images(objective.detector, 40, seed=2)
    before = state(objective)
    objective.refresh(images)
    assert objective.training
    assert objective.detector.training
    assert changed(objective, before) == {"descriptor.center", "descriptor.variance"}
    with torch.no_grad():
        latents = objective.detector.eval().encode(images)
    torch.testing.assert_close(objective.descriptor.center, latents.mean(dim=0))
    torch.testing.assert_close(objective.descriptor.variance, latents.var(dim=0, correction=0), rtol=1e-4, atol=1e-6)
    expected = float(latents.var(dim=0, correction=0).mean().sqrt())
    assert objective.metrics()["latent_std"] == pytest.approx(expected, rel=1e-4)
    restored = make(seed=1)
    restored.load_state_dict(objective.state_dict())
    restored.begin_epoch(1)
    assert restored.metrics() == objective.metrics()


def test_a_fit_of_the_scores_leaves_the_training_s_descriptor():
    objective = make()
    before = state(objective)
    images = make_images(objective.detector, 6, seed=2)
    objective.detector.fit_scores(images, images)
    names = {"descriptor.center", "descriptor.variance", "score_mean", "score_std"}
    assert changed(objective, before) == {f"detector.{name}" for name in names}


def test_a_stale_descriptor_does_not_pull_any_more():
    """Latents that have moved far from where the descriptor was taken: the loss is flat there, until the next refresh.

    This is why the interval between two refreshes is to be short while the latents move fast.
    """
    objective = make(interpolation_weight=0.0)
    images = make_images(objective.detector, 12, seed=2)

    def pull():
        objective.zero_grad()
        loss = objective.generator_terms({"image": images})["gaussian"]
        loss.backward()
        return float(loss), float(objective.detector.bottleneck.inward[1].weight.grad.norm())

    objective.refresh(images)
    loss, fresh = pull()
    assert 0.3 < loss < 0.8  # the distance of normals is about 1
    assert fresh > 1e-2
    with torch.no_grad():
        objective.detector.bottleneck.inward[1].bias.add_(20.0 * objective.latent_std)
    loss, stale = pull()
    assert loss == 1.0
    assert stale < 1e-6 * fresh
    objective.refresh(images)
    assert pull() == (pytest.approx(0.63, abs=0.2), pytest.approx(fresh, rel=1e-2))


# ---- who learns from what --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "critic_input"), KINDS)
def test_gradients_go_where_they_should(name, critic_input):
    objective = make({"vector": VECTOR, "map": MAP}[name], critic_input=critic_input)
    detector = objective.detector
    inward = (detector.encoder, detector.bottleneck.inward)
    for term in objective.critic_terms(batch(objective)).values():
        assert reached(term, objective.critic)
        assert not reached(term, detector)
    terms = objective.generator_terms(batch(objective))
    for value in terms.values():
        assert reached(value, *inward)
    assert reached(terms["reconstruction"], detector.decoder)
    assert not reached(terms["gaussian"], detector.decoder)
    assert reached(terms["interpolation"], detector.decoder) == (critic_input == "image")
    for term in ("reconstruction", "gaussian"):
        assert not reached(terms[term], objective.critic)
    for descriptor in (objective.descriptor, detector.descriptor):
        assert not list(descriptor.parameters())
        assert not any(b.requires_grad for b in descriptor.buffers())


@pytest.mark.parametrize("recipe", [VECTOR, MAP, RESNET], ids=["vector", "map", "resnet"])
def test_an_iteration_changes_each_network_in_its_own_update(recipe):
    objective = make(recipe)
    steps = []

    class Watched(torch.optim.SGD):
        def step(self, *args, **kwargs):
            before = state(objective)
            super().step(*args, **kwargs)
            moved = changed(objective, before)
            grads = {n for n, p in objective.named_parameters() if p.requires_grad}
            steps.append([{n.replace("detector.", "").split(".")[0] for n in names} for names in (moved, grads)])

    encoder, before = objective.detector.encoder, state(objective.detector.encoder)
    make_trainer(objective, batch(objective, 8)["image"], optimizer=Watched).run()
    frozen = recipe is RESNET  # in the trainer, too, which lets gradients flow to all that an update names
    parts = {"bottleneck", "decoder"} if frozen else {"encoder", "bottleneck", "decoder"}
    assert steps == [[{"critic"}] * 2, [parts] * 2]
    assert all((p.grad is None) == frozen for p in encoder.parameters())
    assert bool(changed(encoder, before)) != frozen


def test_the_critic_s_step_makes_no_graph_of_the_detector():
    objective = make()
    seen = []
    objective.detector.decoder.register_forward_hook(lambda *a: seen.append(a[2].requires_grad))
    objective.critic_terms(batch(objective))
    assert seen == [False, False]


@pytest.mark.parametrize("steps", [1, 3])
def test_without_interpolation_there_is_one_update_for_any_batch(steps):
    objective = make(critic=Recorder(), interpolation_weight=0.0)
    assert [update.name for update in objective.updates()] == ["generator"]
    before = torch.get_rng_state()
    terms = objective.generator_terms(batch(objective, steps))
    assert list(terms) == ["reconstruction", "gaussian"]
    assert torch.equal(torch.get_rng_state(), before)
    make_trainer(objective, batch(objective, 2)["image"], batch_size=1).run()
    assert objective.critic.seen == []


def test_with_interpolation_the_critic_comes_first():
    assert [(update.name, update.repeats) for update in make().updates()] == [("critic", 1), ("generator", 1)]


# ---- whole runs ------------------------------------------------------------------------------------------------------


def _run(folder, epochs, resume=False, stop_at=None):
    """Some epochs of a training with everything that depends on chance or on the epoch."""
    objective = make(
        seed=9 if resume else 0,  # a resumed run has other weights before its checkpoint is read
        quiet_epochs=1,
        ramp_epochs=1,
        augment=BatchAugment(flip=(0.5, 0.5), quarter_turns=True),
    )
    images = make_images(objective.detector, 8, seed=6)
    held_out = make_images(objective.detector, 5, seed=7)
    log = []
    trainer = make_trainer(
        objective,
        images,
        epochs=epochs,
        batch_size=4,
        optimizer=torch.optim.Adam,
        handlers=(
            DescriptorSchedule(objective, images, interval=3),
            ScoreStatistics(objective.detector, images, held_out=held_out, interval=2),
        ),
    )
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED,
        lambda engine: log.append({k: v for k, v in engine.state.output[0].items() if k != "image"}),
    )
    if stop_at is not None:
        trainer.add_event_handler(Events.EPOCH_COMPLETED(once=stop_at), lambda engine: engine.terminate())
    checkpoint = TrainingCheckpoint(folder, trainer, spec={"detector": "OCAD", "network": {}, "preprocessing": {}})
    checkpoint.attach(trainer)
    if resume:
        checkpoint.resume()
    trainer.run()
    return objective, log


def test_a_resumed_run_is_the_run_that_was_never_killed(tmp_path):
    whole, log = _run(tmp_path / "whole", 4)
    assert log[0] != log[1]
    assert [entry["gaussian_weight"] for entry in log[::2]] == [0.0, 0.5, 1.0, 1.0]
    spreads = [entry["latent_std"] for entry in log[::2]]
    assert spreads[0] == spreads[1] == spreads[2] != spreads[3]
    for stop_at in (2, 3):  # between two refreshes and right before one
        _, first = _run(tmp_path / f"{stop_at}", 4, stop_at=stop_at)
        resumed, second = _run(tmp_path / f"{stop_at}", 4, resume=True)
        assert first + second == log
        assert not changed(resumed, state(whole))


def test_a_short_training_restores_better():
    objective = make(gaussian_weight=0.1)
    images = make_images(objective.detector, 8, seed=6)
    trainer = make_trainer(objective, images, epochs=20, optimizer=torch.optim.Adam)
    before = objective.generator_terms({"image": images})
    trainer.run()
    after = objective.generator_terms({"image": images})
    assert after["reconstruction"] < 0.9 * before["reconstruction"]


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["critic_terms", "generator_terms"])
def test_a_single_image_has_no_partner(step):
    objective = make()
    with pytest.raises(ValueError, match=r"needs a partner, but a step has 1 image; set batch_size to at least 2, or"):
        getattr(objective, step)(batch(objective, 1))


@pytest.mark.parametrize("step", ["critic_terms", "generator_terms"])
@pytest.mark.parametrize(
    ("answer", "shape"),
    [
        (lambda x: x.flatten(1)[:, 0], r"\(4,\)"),
        (lambda x: x.flatten(1)[:, :2], r"\(4, 2\)"),
        (lambda x: x[:, :1, :1, :1], r"\(4, 1, 1, 1\)"),
        (lambda x: x.mean().reshape(1, 1), r"\(1, 1\)"),
    ],
)
def test_a_critic_that_would_be_broadcast_is_refused(step, answer, shape):
    objective = make(critic=Recorder(answer))
    with pytest.raises(ValueError, match=rf"critic must answer with shape \(4, 1\), got {shape}"):
        getattr(objective, step)(batch(objective))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"critic_input": "map"}, "critic_input must be one of 'image', 'latent', got 'map'"),
        ({"interpolation_weight": -0.1}, r"interpolation_weight must not be negative, got -0\.1"),
        ({"gaussian_weight": 1.5}, r"gaussian_weight must lie in \[0, 1\], got 1\.5"),
        ({"gamma": -0.5}, r"gamma must lie in \[0, 1\], got -0\.5"),
        ({"quiet_epochs": -1}, "quiet_epochs and ramp_epochs must not be negative, got -1 and 0"),
        ({"ramp_epochs": -2}, "quiet_epochs and ramp_epochs must not be negative, got 0 and -2"),
    ],
)
def test_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        make(critic=Recorder(), **arguments)
