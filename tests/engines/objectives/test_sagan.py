# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from sklearn.metrics import roc_auc_score
from torch import nn

from monai_anomaly.data.sets.epoch_sampler import EpochSampler
from monai_anomaly.engines.objectives.sagan import SAGANObjective
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.handlers.training.epoch_seed import EpochSeed
from monai_anomaly.networks.nets.sagan.critic import SAGANCritic
from monai_anomaly.networks.nets.sagan.sagan import SAGAN
from monai_anomaly.transforms.batch_augment import BatchAugment
from monai_anomaly.transforms.foreign_patch import RandForeignPatch
from tests.helpers.sagan_detectors import SIZE, changed, make_detector, make_images, state

STEPS = ["critic_terms", "generator_terms"]
ORDER = 4  # seed of the images' order
SURE = {"keep_probability": 1.0}  # nothing is masked, so that only the penalty takes random numbers


def bright_square(image, height=0.4):
    """A pseudo-anomaly without chance, in the images' range."""
    mask = torch.zeros_like(image[:, :1])
    mask[:, :, 3:12, 20:28] = 1.0
    return image + height * mask, mask


class LinearCritic(nn.Module):
    """``<w, x>``; keeps what it is shown."""

    def __init__(self, scale=0.1):
        super().__init__()
        weight = torch.randn(SIZE * SIZE, generator=torch.Generator().manual_seed(3))
        self.weight = nn.Parameter(scale * weight)
        self.seen = []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return x.flatten(1) @ self.weight[:, None]


def make(*, critic=None, corrupt=bright_square, generator=None, value_range=(0.0, 1.0), seed=0, **arguments):
    detector = make_detector(seed=seed, generator={**SURE, **(generator or {})}, value_range=value_range)
    if critic is None:
        critic = SAGANCritic(SIZE, 1, channels=4, depth=3)
        with torch.no_grad():
            for parameter in critic.parameters():
                parameter.mul_(2.0)  # else its answers are all alike
    return SAGANObjective(detector, critic, corrupt, **arguments).train()


def batch(objective, count=4, seed=5):
    images = make_images(objective.detector, 2 * count, seed)
    return {"image": images[:count], "unlabeled": images[count:]}


def gradients(loss, module):
    module.zero_grad()
    loss.backward()
    return {name: parameter.grad.clone() for name, parameter in module.named_parameters()}


def make_trainer(objective, data, *, epochs=1, batch_size=12, optimizer=torch.optim.SGD, lr=0.01, seed=3, **arguments):
    length = len(data["image"])
    items = Dataset([{key: value[i] for key, value in data.items()} for i in range(length)])
    optimizers = {
        update.name: optimizer([p for part in update.modules for p in part.parameters()], lr=lr)
        for update in objective.updates()
    }
    loader = DataLoader(items, batch_size=batch_size, sampler=EpochSampler(items, num_samples=length, seed=ORDER))
    trainer = ObjectiveTrainer("cpu", epochs, loader, objective, optimizers, **arguments)
    EpochSeed(seed, loader).attach(trainer)
    return trainer


# ---- losses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-3.0, 2.0)])
def test_critic_s_terms_of_a_linear_critic_have_a_closed_form(value_range):
    objective = make(critic=LinearCritic(), value_range=value_range, gp_weight=7.0)
    data = batch(objective)
    terms = objective.critic_terms(data)
    with torch.no_grad():
        w, detector = objective.critic.weight.double(), objective.detector
        low, high = value_range
        normal, pool = ((2.0 * data[key] - low - high) / (high - low) for key in ("image", "unlabeled"))
        restored = torch.cat([detector.generator(one[None]) for one in pool])
    assert list(terms) == ["critic_wasserstein", "critic_penalty"]
    expected = (
        sum(float(w @ y.double().flatten() - w @ x.double().flatten()) for x, y in zip(normal, restored, strict=True))
        / 4
    )
    assert float(terms["critic_wasserstein"]) == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert abs(expected) > 1e-2
    assert float(terms["critic_penalty"]) == pytest.approx(7.0 * float(w.norm() - 1.0) ** 2, rel=1e-4)


def test_critic_s_penalty_is_at_one_mixture_of_each_pair():
    objective = make(gp_weight=10.0)
    data, critic = batch(objective), objective.critic
    torch.manual_seed(0)
    terms = objective.critic_terms(data)
    torch.manual_seed(0)
    shares = torch.rand(4)
    with torch.no_grad():
        restored = objective.detector.generator(2.0 * data["unlabeled"] - 1.0)
    total = 0.0
    for share, image, other in zip(shares, data["image"], restored, strict=True):
        mixture = (share * (2.0 * image - 1.0) + (1.0 - share) * other)[None].requires_grad_()
        (gradient,) = torch.autograd.grad(critic(mixture).sum(), mixture)
        total += (float(gradient.square().sum()) ** 0.5 - 1.0) ** 2
    assert float(terms["critic_penalty"]) == pytest.approx(10.0 * total / 4, rel=1e-3)
    with torch.no_grad():
        expected = critic(restored).mean() - critic(2.0 * data["image"] - 1.0).mean()
    torch.testing.assert_close(terms["critic_wasserstein"].detach(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("value_range", [(0.0, 1.0), (-3.0, 2.0)])
@pytest.mark.parametrize("restoration", ["squared", "relative"])
@torch.no_grad()
def test_generator_s_terms_are_the_published_ones_image_by_image(restoration, value_range):
    objective = make(
        restoration=restoration,
        value_range=value_range,
        adversarial_weight=0.3,
        identity_weight=0.7,
        restoration_weight=1.9,
    )
    data = batch(objective)
    terms = objective.generator_terms(data)

    def shown(image):
        return (2.0 * image.double().numpy() - sum(value_range)) / (value_range[1] - value_range[0])

    identity = squared = damage = judged = 0.0
    for image, other in zip(data["image"], data["unlabeled"], strict=True):
        corrupted = bright_square(image[None])[0]
        kept, undone = (shown(objective.detector.reconstruct(x)[0]) for x in (image[None], corrupted))
        identity += np.abs(shown(image) - kept).mean() / 4
        squared += ((shown(image) - undone) ** 2).mean() / 4
        damage += ((shown(image) - shown(corrupted[0])) ** 2).mean() / 4
        judged += float(objective.critic(objective.detector.generator(objective.detector.signal(other[None])))) / 4
    assert list(terms) == ["identity", "restoration", "adversarial"]
    assert float(terms["identity"]) == pytest.approx(0.7 * identity, rel=1e-3)
    error = squared if restoration == "squared" else squared / damage
    assert float(terms["restoration"]) == pytest.approx(1.9 * error, rel=1e-3)
    assert float(terms["adversarial"]) == pytest.approx(-0.3 * judged, rel=1e-3, abs=1e-5)
    assert all(value.shape == () and value.abs() > 1e-3 for value in terms.values())


@pytest.mark.parametrize("height", [0.05, 0.4, 20.0])
@torch.no_grad()
def test_a_generator_that_does_nothing_has_a_relative_error_of_one(height):
    objective = make(
        restoration="relative", generator={"output": "additive"}, corrupt=lambda x: bright_square(x, height)
    )
    objective.detector.generator.head.weight.zero_()
    terms = objective.generator_terms(batch(objective))
    assert float(terms["restoration"]) == pytest.approx(1.0, rel=1e-2)
    assert float(terms["identity"]) == 0.0


@torch.no_grad()
def test_a_batch_in_which_nothing_was_changed_has_a_finite_relative_error():
    objective = make(restoration="relative", corrupt=lambda x: (x, torch.zeros_like(x)))
    assert torch.isfinite(objective.generator_terms(batch(objective))["restoration"])


def test_weights_scale_their_terms_alone():
    def terms(**weights):
        objective = make(**weights)
        torch.manual_seed(0)
        return {**objective.critic_terms(batch(objective)), **objective.generator_terms(batch(objective))}

    plain = terms()
    names = {"adversarial_weight": "adversarial", "identity_weight": "identity", "restoration_weight": "restoration"}
    for argument, name in names.items():
        for key, value in terms(**{argument: 3.0}).items():
            torch.testing.assert_close(value, plain[key] * (3.0 if key == name else 1.0))
    assert "critic_penalty" not in terms(gp_weight=0.0)


@pytest.mark.parametrize("restoration", ["squared", "relative"])
@pytest.mark.parametrize("keep", [1.0, 0.7])
def test_one_pass_is_three_passes(keep, restoration):
    """As published: normals, pseudo-anomalies and the pool each on their own; losses and gradients."""
    objective = make(generator={"keep_probability": keep}, restoration=restoration)
    data, generator = batch(objective), objective.detector.generator
    torch.manual_seed(0)
    terms = objective.generator_terms(data)
    ours = gradients(sum(terms.values()), generator)

    normal, corrupted, pool = (
        2.0 * x - 1.0 for x in (data["image"], bright_square(data["image"])[0], data["unlabeled"])
    )
    torch.manual_seed(0)
    kept, undone, restored = (generator(x) for x in (normal, corrupted, pool))
    error = (undone - normal).square().mean()
    if restoration == "relative":
        error = error / (corrupted - normal).square().mean()
    loss = (kept - normal).abs().mean() + error - objective.critic(restored).mean()
    torch.testing.assert_close(sum(terms.values()), loss, rtol=1e-3, atol=1e-4)
    theirs = gradients(loss, generator)
    for name, gradient in theirs.items():
        largest = float(gradient.abs().max())
        assert largest > 0.0, name
        torch.testing.assert_close(ours[name], gradient, rtol=0.0, atol=1e-2 * largest, msg=name)


def test_augmentation_changes_normals_and_pool_of_both_steps():
    def flipped(image):
        return image.flip(-1)

    data = batch(make())
    mirrored = {key: flipped(value) for key, value in data.items()}
    for name in STEPS:
        results = []
        for given, augment in ((data, flipped), (mirrored, None), (data, None)):
            objective = make(augment=augment)
            torch.manual_seed(0)
            results.append(getattr(objective, name)(given))
        torch.testing.assert_close(results[0], results[1])
        assert all(results[0][key] != results[2][key] for key in results[0])


@pytest.mark.parametrize("step", STEPS)
def test_terms_are_float32_and_close_in_bfloat16(step):
    objective = make(restoration="relative")
    data = batch(objective)
    torch.manual_seed(0)
    expected = getattr(objective, step)(data)
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        results = getattr(objective, step)(data)
    assert all(value.dtype == torch.float32 for value in results.values())
    torch.testing.assert_close(results, expected, atol=0.1, rtol=0.1)
    sum(results.values()).backward()
    module = objective.critic if step == "critic_terms" else objective.detector.generator
    assert all(torch.isfinite(p.grad).all() for p in module.parameters() if p.grad is not None)
    assert any(p.grad is not None and p.grad.any() for p in module.parameters())


# ---- who learns from what --------------------------------------------------------------------------------------------


def test_the_critic_s_step_makes_no_graph_and_no_gradient_of_the_generator():
    objective = make()
    seen = []
    objective.detector.generator.register_forward_hook(lambda *a: seen.append(a[2].requires_grad))
    sum(objective.critic_terms(batch(objective)).values()).backward()
    assert seen == [False]
    assert all(p.grad is None for p in objective.detector.parameters())
    assert any(p.grad is not None and p.grad.any() for p in objective.critic.parameters())


@pytest.mark.parametrize("term", ["identity", "restoration", "adversarial"])
def test_each_term_trains_the_generator_and_the_images_stay_as_they_are(term):
    objective = make()
    data = batch(objective)
    before = {key: value.clone() for key, value in data.items()}
    objective.generator_terms(data)[term].backward()
    assert all(p.grad is not None and p.grad.any() for p in objective.detector.generator.parameters())
    assert all(p.grad is None for p in objective.critic.parameters()) == (term != "adversarial")
    assert all(torch.equal(data[key], value) for key, value in before.items())


def test_an_iteration_changes_each_network_in_its_own_update():
    objective = make()
    steps = []

    class Watched(torch.optim.SGD):
        def step(self, *args, **kwargs):
            before = state(objective)
            super().step(*args, **kwargs)
            moved = changed(objective, before)
            alive = {name for name, p in objective.named_parameters() if p.requires_grad}
            steps.append([{name.removeprefix("detector.").split(".")[0] for name in names} for names in (moved, alive)])

    make_trainer(objective, batch(objective, 12), optimizer=Watched).run()
    assert steps == [[{"critic"}] * 2] * 2 + [[{"generator"}] * 2]


def test_the_generator_s_step_leaves_the_critic_without_gradients():
    objective = make(n_critic=1)
    terms = objective.generator_terms

    def forget_first(given):
        objective.critic.zero_grad()  # what the critic's own step has left
        return terms(given)

    objective.generator_terms = forget_first
    make_trainer(objective, batch(objective, 8), batch_size=8).run()
    assert all(p.grad is None for p in objective.critic.parameters())
    assert all(p.grad is not None for p in objective.detector.generator.parameters())


def test_every_step_of_an_iteration_has_images_of_its_own():
    objective = make(critic=LinearCritic())
    generator = objective.detector.generator
    seen = []
    generator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    data = batch(objective, 12)
    make_trainer(objective, data).run()
    order = list(EpochSampler(range(12), 12, seed=ORDER))
    normal, pool = (2.0 * data[key][order] - 1.0 for key in ("image", "unlabeled"))
    assert len(seen) == 3
    torch.testing.assert_close(seen[0], pool[:4])
    torch.testing.assert_close(seen[1], pool[4:8])
    corrupted = 2.0 * bright_square((normal[8:] + 1.0) / 2.0)[0] - 1.0
    torch.testing.assert_close(seen[2], torch.cat([normal[8:], corrupted, pool[8:]]))
    torch.testing.assert_close(objective.critic.seen[0][:4], normal[:4])


class Guarded(dict):
    """A batch of which nothing but the two images may be looked at."""

    def __getitem__(self, key):
        if key not in ("image", "unlabeled"):
            raise AssertionError(f"the objective looked at {key!r}")
        return super().__getitem__(key)

    def _refuse(self, *_):
        raise AssertionError("the objective looked through the batch")

    keys = values = items = get = pop = __iter__ = _refuse


@pytest.mark.parametrize("step", STEPS)
def test_no_label_is_looked_at(step):
    objective = make()
    data = batch(objective)
    poison = {"label": torch.full((4,), torch.nan), "unlabeled_label": torch.ones(4), "mask": torch.ones(4)}
    results = []
    for given in (data, Guarded({**data, **poison})):
        torch.manual_seed(0)
        results.append(getattr(objective, step)(given))
    assert results[0] == results[1]


def test_labels_of_any_value_train_to_the_same_weights():
    plain = make()
    data = batch(plain, 12)
    found = []
    for labels in (None, torch.zeros(12), torch.full((12,), torch.nan), torch.arange(12) % 2):
        objective = make()
        given = data if labels is None else {**data, "label": labels, "unlabeled_label": labels.clone()}
        make_trainer(objective, given).run()
        found.append(state(objective))
    assert changed(plain, found[0])
    for other in found[1:]:
        assert all(torch.equal(other[name], value) for name, value in found[0].items())


@pytest.mark.parametrize("arguments", [{"pool": False}, {"adversarial_weight": 0.0}])
def test_without_a_pool_or_its_weight_there_is_one_update_and_no_critic(arguments):
    objective = make(critic=LinearCritic(), **arguments)
    assert [update.name for update in objective.updates()] == ["generator"]
    data = batch(objective)
    del data["unlabeled"]
    random = torch.get_rng_state()
    terms = objective.generator_terms(data)
    assert torch.equal(torch.get_rng_state(), random)
    assert list(terms) == ["identity", "restoration"]
    before = state(objective)
    make_trainer(objective, data, batch_size=2).run()
    assert objective.critic.seen == []
    assert changed(objective, before) == {
        f"detector.generator.{n}" for n, _ in objective.detector.generator.named_parameters()
    }


@pytest.mark.parametrize("n_critic", [1, 3])
def test_with_a_pool_the_critic_comes_first(n_critic):
    objective = make(n_critic=n_critic)
    updates = objective.updates()
    assert [(update.name, update.repeats) for update in updates] == [("critic", n_critic), ("generator", 1)]
    assert updates[0].modules == (objective.critic,)
    assert updates[1].modules == (objective.detector.generator,)


# ---- whole runs ------------------------------------------------------------------------------------------------------


def _trained(seed):
    objective = make(
        corrupt=RandForeignPatch(),
        generator={"keep_probability": 0.8},
        augment=BatchAugment(flip=(0.5, 0.5)),
        restoration="relative",
    )
    make_trainer(objective, batch(objective, 12), epochs=2, optimizer=torch.optim.Adam, seed=seed).run()
    return objective


def test_the_same_seed_trains_to_the_same_weights_bit_by_bit():
    first = state(_trained(0))
    assert not changed(_trained(0), first)
    different = changed(_trained(1), first)
    assert {name.split(".")[0] for name in different} == {"detector", "critic"}


def test_gradients_are_accumulated():
    results = []
    for pieces in (1, 2):
        objective = make()
        trainer = make_trainer(objective, batch(objective, 12), accumulation_steps=pieces)
        start = state(objective)
        trainer.run()
        results.append({name: value - start[name] for name, value in objective.state_dict().items()})
    for name, moved in results[0].items():
        torch.testing.assert_close(results[1][name], moved, rtol=0.0, atol=1e-2 * float(moved.abs().max()), msg=name)
    assert any(moved.any() for moved in results[0].values())


def test_mixed_precision_trains_on_finite_numbers():
    objective = make(restoration="relative")
    before = state(objective)
    make_trainer(objective, batch(objective, 12), epochs=2, amp=True, divergence_limit=1e3).run()
    assert {name.split(".")[0] for name in changed(objective, before)} == {"detector", "critic"}
    assert all(torch.isfinite(value).all() for value in objective.state_dict().values())


def _blobs(count, generator):
    """Three smooth blobs in each image."""
    grid, images = torch.linspace(0.0, 1.0, SIZE), torch.zeros(count, 1, SIZE, SIZE)
    for _ in range(3):
        row, column, width, height = torch.rand(4, count, 1, 1, 1, generator=generator)
        distance = (grid[:, None] - row) ** 2 + (grid - column) ** 2
        images += (0.2 + 0.3 * height) * torch.exp(-distance / (2.0 * (0.15 + 0.15 * width) ** 2))
    return images


def _with_square(images, generator):
    for image in images:
        side = int(torch.randint(6, 10, (), generator=generator))
        row, column = torch.randint(1, SIZE - side, (2,), generator=generator).tolist()
        image[:, row : row + side, column : column + side] += 0.6
    return images


def test_a_short_training_tells_squares_from_blobs():
    generator = torch.Generator().manual_seed(0)
    normals, healthy = _blobs(64, generator), _blobs(64, generator)
    pool = torch.cat([_blobs(32, generator), _with_square(_blobs(32, generator), generator)])
    ill = _with_square(_blobs(64, generator), generator)
    torch.manual_seed(0)
    detector = SAGAN(SIZE, generator={"channels": 4, "residual_blocks": 1, "output": "additive"})
    critic = SAGANCritic(SIZE, 1, channels=8, depth=4)
    objective = SAGANObjective(detector, critic, RandForeignPatch(), n_critic=1, restoration="relative")

    @torch.no_grad()
    def area_under_the_curve():
        scores = detector.eval()(torch.cat([healthy, ill])).mean(dim=(1, 2, 3))
        return roc_auc_score([0] * 64 + [1] * 64, scores)

    before = area_under_the_curve()
    data = {"image": normals, "unlabeled": pool}
    adam = partial(torch.optim.Adam, betas=(0.5, 0.999))
    make_trainer(objective, data, epochs=8, batch_size=16, optimizer=adam, lr=1e-3).run()
    after = area_under_the_curve()
    assert after > 0.65
    assert after > before + 0.15


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_a_batch_without_the_pool_that_was_promised_is_refused(step):
    objective = make()
    data = batch(objective)
    del data["unlabeled"]
    with pytest.raises(ValueError, match=r"must have 'unlabeled' beside 'image', which PairedDataset.*pool to False"):
        getattr(objective, step)(data)


def test_a_single_normal_has_no_donor():
    objective = make(corrupt=RandForeignPatch())
    with pytest.raises(ValueError, match="no other image to take a patch from"):
        objective.generator_terms(batch(objective, 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"adversarial_weight": -0.1}, r"adversarial_weight must not be negative, got -0\.1"),
        ({"identity_weight": -0.1}, r"identity_weight must not be negative, got -0\.1"),
        ({"restoration_weight": -1.0}, r"restoration_weight must not be negative, got -1\.0"),
        ({"gp_weight": -1.0}, "penalty_weight must not be negative"),
        ({"restoration": "absolute"}, "restoration must be one of 'squared', 'relative', got 'absolute'"),
    ],
)
def test_refuses_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)


def test_the_critic_needs_a_step():
    with pytest.raises(ValueError, match="repeats of update 'critic' must be at least 1, got 0"):
        make(n_critic=0).updates()
