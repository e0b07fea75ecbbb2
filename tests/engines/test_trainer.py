# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import copy
import math

import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader
from monai.engines.utils import IterationEvents
from monai.handlers import EarlyStopHandler, LrScheduleHandler, StatsHandler, from_engine
from torch import nn

from monai_anomaly.engines.objectives.base import Objective, Update
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.utils.exceptions import TrainingError
from tests.helpers.two_players import TwoPlayers, make_trainer


def plain_loop(images, *, batch, repeats, lr=0.1, max_norm=None):
    """The same training by hand: no trainer, no freezing."""
    objective = TwoPlayers(repeats)
    critic, detector = objective.critic, objective.detector
    size = batch // (repeats + 1)
    for start in range(0, len(images), batch):
        shares = images[start : start + batch].flatten(1).split(size)
        for x in shares[:-1]:
            gradients = torch.autograd.grad((critic(x) - 1).square().mean(), list(critic.parameters()))
            sgd(critic, gradients, lr, max_norm)
        x = shares[-1]
        loss = (x - detector(x)).square().mean() - critic(detector(x)).mean()
        sgd(detector, torch.autograd.grad(loss, list(detector.parameters())), lr, max_norm)
    return objective


@torch.no_grad()
def sgd(module, gradients, lr, max_norm):
    if max_norm is not None:
        norm = math.sqrt(sum(float(g.square().sum()) for g in gradients))
        gradients = [g * min(1.0, max_norm / (norm + 1e-6)) for g in gradients]
    for p, g in zip(module.parameters(), gradients, strict=True):
        p -= lr * g


@pytest.mark.parametrize("repeats", [1, 2])
@pytest.mark.parametrize("max_norm", [None, 0.05])
def test_equals_a_plain_loop(repeats, max_norm):
    objective = TwoPlayers(repeats)
    images, trainer = make_trainer(objective, max_grad_norm=max_norm)
    trainer.run()
    expected = plain_loop(images, batch=12, repeats=repeats, max_norm=max_norm)
    for ours, theirs in zip(objective.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_every_step_sees_fresh_images_in_order():
    objective = TwoPlayers(repeats=2)
    images, trainer = make_trainer(objective)
    trainer.run()
    assert [name for name, _ in objective.seen] == ["critic", "critic", "generator"] * 2
    torch.testing.assert_close(torch.cat([x for _, x in objective.seen]), images)


def test_accumulation_gives_the_same_gradient():
    one, four = TwoPlayers(), TwoPlayers()
    make_trainer(one)[1].run()
    make_trainer(four, accumulation_steps=4)[1].run()
    for a, b in zip(one.parameters(), four.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_output_and_events_serve_the_stock_handlers(caplog):
    objective = TwoPlayers()
    events = []
    _, trainer = make_trainer(objective, epochs=3)
    for event in (IterationEvents.MODEL_COMPLETED, IterationEvents.BACKWARD_COMPLETED):
        trainer.add_event_handler(event, lambda engine, e=event: events.append(e))
    StatsHandler(name="train", output_transform=from_engine(["loss"], first=True)).attach(trainer)
    scheduler = torch.optim.lr_scheduler.StepLR(trainer.optimizers["generator"], 1, gamma=0.5)
    LrScheduleHandler(scheduler).attach(trainer)
    EarlyStopHandler(1, score_function=lambda e: 0.0, trainer=trainer, epoch_level=True).attach(
        trainer
    )  # never improves: ends after its patience
    trainer.run()
    assert trainer.state.epoch == 2
    assert trainer.optimizers["generator"].param_groups[0]["lr"] == pytest.approx(0.1 * 0.25)
    item = trainer.state.output[0]
    assert isinstance(item["loss"], float) and isinstance(item["critic"], float)
    assert item["loss"] == pytest.approx(item["rec"] + item["adv"])
    assert item["image"].shape == (1, 2, 2)
    assert events.count(IterationEvents.MODEL_COMPLETED) == trainer.state.iteration == 4
    assert events.count(IterationEvents.BACKWARD_COMPLETED) == 3 * 4


def test_postprocessing_runs():
    objective = TwoPlayers()
    _, trainer = make_trainer(objective, postprocessing=lambda d: {**d, "extra": 1})
    trainer.run()
    assert trainer.state.output[0]["extra"] == 1


def test_state_holds_no_module_or_optimizer():
    _, trainer = make_trainer(TwoPlayers())
    trainer.run()
    assert not [v for v in vars(trainer.state).values() if isinstance(v, (nn.Module, torch.optim.Optimizer))]
    assert all(isinstance(v, (int, float, type(None))) for v in trainer.state_dict().values())


@pytest.mark.parametrize("factor", [math.nan, math.inf, 1e9])
def test_divergence_ends_with_a_sentence(factor):
    objective = TwoPlayers(factor=factor)
    _, trainer = make_trainer(objective, check_interval=1)
    with pytest.raises(TrainingError, match="diverged"):
        trainer.run()
    assert trainer.state.iteration == 1


def test_divergence_is_seen_when_a_run_is_ended_within_an_epoch():
    _, trainer = make_trainer(TwoPlayers(factor=math.nan))
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=1), lambda: trainer.terminate())
    with pytest.raises(TrainingError, match="diverged"):
        trainer.run()


def test_bfloat16_stays_near_float32():
    low, full = TwoPlayers(), TwoPlayers()
    make_trainer(low, amp=True)[1].run()
    make_trainer(full)[1].run()
    for a, b in zip(low.parameters(), full.parameters(), strict=True):
        assert a.dtype is torch.float32
        torch.testing.assert_close(a, b, atol=0.05, rtol=0.05)
    assert any(not torch.equal(a, b) for a, b in zip(low.parameters(), full.parameters(), strict=True))


def test_a_second_run_goes_on():
    once, twice = TwoPlayers(), TwoPlayers()
    make_trainer(once, epochs=4)[1].run()
    _, trainer = make_trainer(twice, epochs=2)
    trainer.run()
    trainer.run()
    assert trainer.state.iteration == 4
    trainer.state.max_epochs = 4
    trainer.run()
    assert trainer.state.epoch == 4
    for a, b in zip(once.parameters(), twice.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [({"amp_dtype": "float8"}, "amp_dtype"), ({"accumulation_steps": 0}, "accumulation"), ({"epochs": 0}, "max_ep")],
)
def test_bad_options(kwargs, words):
    with pytest.raises(ValueError, match=words):
        make_trainer(TwoPlayers(), **kwargs)


def test_an_update_without_optimizer():
    objective = TwoPlayers()
    with pytest.raises(ValueError, match="missing: critic"):
        ObjectiveTrainer("cpu", 1, [], objective, {"generator": torch.optim.SGD(objective.parameters(), lr=0.1)})


def test_a_batch_that_cannot_be_shared():
    _, trainer = make_trainer(TwoPlayers(), batch=8)
    with pytest.raises(ValueError, match="multiple of the 3 steps"):
        trainer.run()


def test_update_needs_a_repeat():
    with pytest.raises(ValueError, match="at least 1"):
        Update("x", (), lambda batch: {}, repeats=0)


def test_float16_scaling_off_the_accelerator_trains():
    objective = TwoPlayers()
    before = copy.deepcopy(objective.state_dict())
    _, trainer = make_trainer(objective, amp=True, amp_dtype="float16")
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda e: None)
    trainer.run()
    after = objective.state_dict()
    assert all(torch.isfinite(v).all() for v in after.values())
    assert any(not torch.equal(before[k], after[k]) for k in before)


class Convolutional(Objective):
    """One convolution in channels_last, whose gradient lies in memory as the test wants it."""

    def __init__(self, gradient_format=None):
        super().__init__()
        torch.manual_seed(0)
        self.detector = nn.Conv2d(3, 4, 3)
        self.gradient_format = gradient_format

    def updates(self):
        return [Update("generator", (self.detector,), self.terms, backward=self.backward)]

    def terms(self, batch):
        return {"rec": self.detector(batch["image"]).square().mean()}

    def backward(self, terms):
        terms["rec"].backward()
        if self.gradient_format is not None:
            self.detector.weight.grad = self.detector.weight.grad.to(memory_format=self.gradient_format)


def convolutional_trainer(objective, epochs, *, fused=True):
    torch.manual_seed(2)
    data = [{"image": image} for image in torch.rand(8, 3, 6, 6)]
    optimizers = {"generator": torch.optim.Adam(objective.parameters(), lr=0.1, fused=fused)}
    return ObjectiveTrainer("cpu", epochs, DataLoader(data, batch_size=4), objective, optimizers)


@pytest.mark.parametrize("gradient_format", [torch.contiguous_format, torch.channels_last])
def test_a_fused_step_is_that_of_the_plain_optimizer_however_gradients_lie(gradient_format):
    plain, fused = Convolutional(), Convolutional(gradient_format)
    convolutional_trainer(plain, 3, fused=False).run()
    convolutional_trainer(fused, 3).run()
    assert fused.detector.weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(fused.state_dict(), plain.state_dict(), rtol=1e-5, atol=1e-6)


def test_a_resumed_optimizer_whose_state_lies_otherwise_goes_on_as_it_would_have():
    once, resumed = Convolutional(), Convolutional()
    convolutional_trainer(once, 3).run()
    first = convolutional_trainer(resumed, 2)
    first.run()
    state = first.optimizers["generator"].state_dict()
    for kept in state["state"].values():  # as a checkpoint has it whose network lay otherwise
        kept |= {key: value.contiguous() for key, value in kept.items() if value.dim() == 4}
    second = convolutional_trainer(resumed, 3)
    second.optimizers["generator"].load_state_dict(state)
    second.state.epoch, second.state.iteration = 2, 4
    second.run()
    torch.testing.assert_close(resumed.state_dict(), once.state_dict(), rtol=0, atol=0)
