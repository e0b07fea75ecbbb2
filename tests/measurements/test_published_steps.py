# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from measurements.published_sagan import PublishedData, PublishedSteps, publish, to_pictures
from measurements.published_steps import main
from monai_anomaly.data.sets.paired import POOL_IMAGE
from monai_anomaly.engines.objectives.sagan import SAGANObjective
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.networks.blocks.instance_norm import InstanceNorm
from monai_anomaly.networks.nets.sagan.critic import SAGANCritic
from monai_anomaly.networks.nets.sagan.generator import SAGANGenerator
from monai_anomaly.networks.nets.sagan.sagan import SAGAN
from monai_anomaly.phantom.phantom import make_phantom
from tests.helpers.repository import ROOT

SIZE, BATCH = 32, 3
BUNDLE = ROOT / "bundles" / "sagan"
GENERATOR: dict[str, Any] = {"channels": 4, "residual_blocks": 1, "keep_probability": 1.0}
OFFICIAL = {"position": "official", "gate_norm": "instance", "norm": "patch", "mask": "official"}


def _rand(seed: int, count: int = BATCH, channels: int = 1) -> torch.Tensor:
    return torch.rand(count, channels, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


class _Loader(list):
    """Batches whose data set has as many images of the pool as are needed, and more normals."""

    batch_size = 3 * BATCH
    dataset = SimpleNamespace(normals=SimpleNamespace(images=_rand(3, 7)), pool=SimpleNamespace(images=_rand(4, 4)))


def _trainer(generator: dict[str, Any] | None = None, **options: Any) -> ObjectiveTrainer:
    """Of images in [0, 1], where the pseudo-anomaly of an image is its negative."""
    torch.manual_seed(0)
    detector = SAGAN(SIZE, generator={**GENERATOR, **(generator or {})})
    critic = SAGANCritic(SIZE, channels=4, depth=3)
    objective = SAGANObjective(detector, critic, lambda x: (1.0 - x, x), **options).train()
    objective.to(memory_format=torch.channels_last)
    optimizers = {
        "generator": torch.optim.Adam(detector.parameters(), lr=1e-3, betas=(0.5, 0.999)),
        "critic": torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.999)),
    }
    batch = {"image": _rand(1, 3 * BATCH), POOL_IMAGE: _rand(2, 3 * BATCH)}
    return ObjectiveTrainer("cpu", 1, _Loader([batch]), objective, optimizers)


def _published(trainer: ObjectiveTrainer, network: str) -> PublishedSteps:
    if network == "same":
        return PublishedSteps(trainer)
    generator = SAGANGenerator(SIZE, **{**GENERATOR, **OFFICIAL})
    generator.load_state_dict(trainer.objective.detector.generator.state_dict())
    return PublishedSteps(trainer, publish(generator))


# ---- the steps -----------------------------------------------------------------------------------------------------

WEIGHTS = {"adversarial_weight": 0.3, "identity_weight": 2.0, "restoration_weight": 0.7, "gp_weight": 4.0}


@pytest.mark.parametrize("network", ["same", "published"])
@pytest.mark.parametrize("restoration", ["squared", "relative"])
def test_both_sides_compute_the_same_losses_and_gradients(network, restoration):
    trainer = _trainer(OFFICIAL if network == "published" else None, restoration=restoration, **WEIGHTS)
    theirs = _published(trainer, network)
    batch = {"image": _rand(5), POOL_IMAGE: _rand(6)}
    normal, unlabeled = (2.0 * batch[key] - 1.0 for key in ("image", POOL_IMAGE))
    steps = {
        "critic": (trainer.objective.critic, theirs.critic, lambda: theirs.critic_terms(normal, unlabeled)),
        "generator": (
            trainer.objective.detector.generator,
            theirs.generator,
            lambda: theirs.generator_terms(normal, unlabeled, -normal),
        ),
    }
    for update in trainer.updates:
        module, copied, terms = steps[update.name]
        before = {key: value.clone() for key, value in copied.state_dict().items()}
        trainer._focus(update)
        torch.manual_seed(7)
        ours = update.terms(batch)
        update.backward(ours)
        torch.manual_seed(7)
        published = terms()
        assert set(published) == set(ours)
        for key, term in published.items():
            torch.testing.assert_close(term, ours[key], rtol=1e-4, atol=1e-6)
        theirs.step(update.name, published)
        if network == "same":  # the other's are compared below, with digits enough
            for a, b in zip(module.parameters(), copied.parameters(), strict=True):
                torch.testing.assert_close(b.grad, a.grad, rtol=1e-3, atol=1e-5)
        copied.load_state_dict(before)  # ours has made no step


def test_the_waste_is_there():
    """A graph of the generator in the critic's step, and gradients of the critic in the generator's."""
    steps = PublishedSteps(_trainer())
    seen: list[tuple[int, bool]] = []
    steps.generator.register_forward_hook(lambda m, i, out: seen.append((len(out), out.requires_grad)))
    judged: list[int] = []
    steps.critic.register_forward_hook(lambda m, i, out: judged.append(len(out)))
    normal, unlabeled = _rand(5), _rand(6)
    steps.step("critic", steps.critic_terms(normal, unlabeled))
    assert seen == [(BATCH, True)] and judged == [BATCH] * 3
    steps.step("generator", steps.generator_terms(normal, unlabeled, -normal))
    assert seen[1:] == [(BATCH, True)] * 3 and judged[3:] == [BATCH]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in steps.critic.parameters())
    assert all(p.is_contiguous() for p in steps.generator.parameters())


def test_an_iteration_makes_the_trainer_s_updates_and_leaves_it_alone():
    trainer = _trainer(n_critic=2)
    before = {key: value.clone() for key, value in trainer.objective.state_dict().items() if torch.is_tensor(value)}
    steps = PublishedSteps(trainer)
    counts = {"critic": 0, "generator": 0}
    for name, optimizer in steps.optimizers.items():
        optimizer.register_step_post_hook(lambda *_, name=name: counts.update({name: counts[name] + 1}))
        group, original = optimizer.param_groups[0], trainer.optimizers[name].param_groups[0]
        assert (group["lr"], group["betas"]) == (original["lr"], original["betas"])
    first = [p.detach().clone() for p in (*steps.critic.parameters(), *steps.generator.parameters())]
    steps.iterate()
    steps.iterate()
    assert counts == {"critic": 4, "generator": 2}
    changed = [
        not torch.equal(a, b)
        for a, b in zip(first, (*steps.critic.parameters(), *steps.generator.parameters()), strict=True)
    ]
    assert sum(changed) > len(changed) // 2
    assert all(torch.equal(trainer.objective.state_dict()[key], value) for key, value in before.items())


# ---- the network ---------------------------------------------------------------------------------------------------


def test_torch_s_normalizations_make_the_same_images_and_gradients():
    torch.manual_seed(0)
    generator = SAGANGenerator(SIZE, **{**GENERATOR, **OFFICIAL}).double()
    for name, parameter in generator.named_parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter, 1.0 if name.endswith("weight") else 0.0, 0.3)
    theirs = publish(copy.deepcopy(generator))
    image = 2.0 * _rand(1).double() - 1.0
    expected, answer = generator(image), theirs(image)
    torch.testing.assert_close(answer, expected, rtol=1e-9, atol=1e-9)
    expected.pow(3).sum().backward()
    answer.pow(3).sum().backward()
    for a, b in zip(generator.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(b.grad, a.grad, rtol=1e-7, atol=1e-7)


def test_all_normalizations_are_torch_s():
    generator = SAGANGenerator(SIZE, **{**GENERATOR, **OFFICIAL})
    count = sum(isinstance(module, InstanceNorm) for module in generator.modules())
    publish(generator)
    norms = [module for module in generator.modules() if isinstance(module, nn.InstanceNorm2d)]
    assert len(norms) == count and not any(isinstance(module, InstanceNorm) for module in generator.modules())
    # stem, three stages, two in a residual block, and two in each of four fusions
    assert sum(norm.track_running_stats for norm in norms) == 1 + 3 + 2 + 2 * 4
    assert all(norm.affine for norm in norms if norm.track_running_stats)


def test_a_normalization_of_the_whole_image_is_not_the_published_one():
    with pytest.raises(ValueError, match="make it with norm='patch'"):
        publish(SAGANGenerator(SIZE, **GENERATOR, norm="image"))


# ---- the data ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_the_images_in_eight_bits(channels):
    signal = 2.0 * _rand(1, 4, channels) - 1.0
    signal[0, 0, 0, :2] = torch.tensor([-3.0, 3.0])
    pictures = to_pictures(signal)
    assert {picture.mode for picture in pictures} == {"L" if channels == 1 else "RGB"}
    data = PublishedData(pictures[:2], pictures)
    assert len(data) == 4
    for index in range(4):
        unlabeled, normal, _ = data[index]
        assert normal.shape == unlabeled.shape == (channels, SIZE, SIZE)
        assert (normal - signal[index].clamp(-1.0, 1.0)).abs().max() <= 1.0 / 255 + 1e-6
        assert (unlabeled - signal[index % 2].clamp(-1.0, 1.0)).abs().max() <= 1.0 / 255 + 1e-6


def test_a_pseudo_anomaly_is_a_square_of_another_normal():
    levels = torch.tensor([-1.0, -0.2, 0.9])[:, None, None, None].expand(3, 1, SIZE, SIZE)
    data = PublishedData(to_pictures(levels), to_pictures(levels))
    exact = [float(data[index][1][0, 0, 0]) for index in range(3)]
    sides, centers, beyond = set(), set(), set()
    for number in range(300):
        index = number % 3
        _, normal, mixed = data[index]
        square = np.argwhere((mixed != normal)[0].numpy())
        if not len(square):
            continue  # a share near 0
        (top, left), (bottom, right) = square.min(0), square.max(0) + 1
        assert bottom - top == right - left and len(square) == (bottom - top) ** 2
        (value,) = mixed[0, top:bottom, left:right].unique().tolist()
        assert min(exact) - 1e-6 <= value <= max(exact) + 1e-6
        beyond.add((index, value > exact[index]))
        sides.add(int(bottom - top))
        centers |= {int(top + bottom) // 2, int(left + right) // 2}
    assert beyond == {(0, True), (1, False), (1, True), (2, False)}  # towards both others
    assert sides == {2 * half for half in range(2, 6)}  # round(0.05 * 32) to round(0.2 * 32) - 1
    assert min(centers) == 6 and max(centers) == 24  # 0.2 * 32 to 0.8 * 32 - 1


# ---- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    sizes = {"num_train": 6, "num_val": 2, "num_test": 2, "num_unlabeled": 6}
    root = tmp_path_factory.mktemp("data") / "phantom"
    return make_phantom(root, kind="radiograph", progress=False, **sizes)


TINY = {
    "image_size": 64,
    "generator": {"channels": 4, "residual_blocks": 1},
    "critic::channels": 4,
    "critic::depth": 3,
    "batch_size": 2,
    "device": "cpu",
}


def _words(data: Path, **overrides: Any) -> list[str]:
    values = {**TINY, "dataset_dir": str(data), **overrides}
    return [f"--bundle={BUNDLE}", *(f"--train={key}={json.dumps(value)}" for key, value in values.items())]


@pytest.mark.parametrize("unshuffle", [1, 2])
def test_the_command(data, tmp_path, capsys, unshuffle):
    path = tmp_path / "numbers.json"
    words = _words(data, generator={**TINY["generator"], "unshuffle": unshuffle})
    assert main([*words, "--rounds=2", "--iterations=1", f"--json={path}"]) == 0
    numbers = json.loads(path.read_text())
    keys = ["published_network"] * (unshuffle > 1) + ["published_steps", "same_network"]
    assert [key for key in numbers if key != "environment"] == keys
    for key in keys:
        assert len(numbers[key]["ratios"]) == 2 and all(r > 0 and math.isfinite(r) for r in numbers[key]["ratios"])
        assert numbers[key]["ours_s"] == numbers["same_network"]["ours_s"]
    lines = capsys.readouterr().out.splitlines()
    names = [key.replace("_", " ") for key in keys]
    assert [line.split("  ")[0] for line in lines[1 : 1 + len(keys)]] == names
    assert [line.split(":")[0] for line in lines[1 + len(keys) :]] == names


def test_mistakes_are_one_sentence(data, tmp_path, capsys):
    for words, match in (
        ([f"--bundle={tmp_path}"], "has no 'configs/train.json'"),
        ([f"--bundle={BUNDLE}", "--overlay=papers"], "has no 'configs/papers.json'"),
        (_words(data, batch_sise=4), "batch_sise"),
        (_words(data, use_pool=False), "those of SAGAN with a pool"),
    ):
        assert main([*words, "--rounds=1", "--iterations=1"]) == 1
        captured = capsys.readouterr()
        assert match in captured.err and not captured.out
    for word in ("--rounds=0", "--workers=2", "--train=batch_size"):
        with pytest.raises(SystemExit):
            main([word])
