# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""One trainer for every objective."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Events
from ignite.metrics import Metric
from monai.engines import Trainer
from monai.engines.utils import IterationEvents
from monai.networks.utils import eval_mode
from monai.utils.enums import CommonKeys as Keys
from torch import Tensor, nn
from torch.optim import Optimizer

from monai_anomaly.engines.compiling import compile_networks
from monai_anomaly.engines.objectives.base import Objective, SolvedObjective, Terms, Update
from monai_anomaly.engines.solving import SolveAtEpochEnd
from monai_anomaly.engines.stopping import StopAtStep
from monai_anomaly.networks.memory_format import aligned, place
from monai_anomaly.utils.exceptions import TrainingError
from monai_anomaly.utils.stop_signals import end_if_asked

__all__ = ["ObjectiveTrainer", "move_batch"]

logger = logging.getLogger(__name__)

_AMP_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def move_batch(
    batch: Mapping[str, Any], device: torch.device, non_blocking: bool = False, **kwargs: Any
) -> dict[str, Any]:
    """Move the tensors of a batch dictionary to the device; leave the rest as it is."""
    return {
        k: v.to(device=device, non_blocking=non_blocking, **(kwargs if v.is_floating_point() else {}))
        if isinstance(v, Tensor)
        else v
        for k, v in batch.items()
    }


class ObjectiveTrainer(Trainer):
    """Trains any :class:`~monai_anomaly.engines.objectives.base.Objective`.

    MONAI's own GAN engines write no `loss`, never fire `MODEL_COMPLETED`, keep modules in the engine's state (so their
    checkpoints need pickle) and know neither a gradient penalty nor critic steps, which is why this one exists.

    One iteration takes one batch of ``sum(repeats) * n`` images and cuts it into equal shares, one for each step, so
    every critic step sees fresh images. ``engine.state.output`` holds `image`, `label` where there is one, `pred` where
    it is cheap, `loss` (the sum of the last update's terms) and every named term. On the CPU these are plain numbers;
    on an accelerator they are scalar tensors, which every stock handler reads, so that no step waits for the device.

    A :class:`~monai_anomaly.engines.objectives.base.SolvedObjective` has no steps and no losses: an iteration shows it
    a batch, and it is solved at the end of the epoch.

    Networks and optimizers are attributes, never part of the engine's state: checkpoints hold tensors and numbers.

    Args:
        device: where to train.
        max_epochs: number of epochs.
        train_data_loader: yields dictionaries with at least `image` ``(B, C, H, W)``.
        objective: what to minimize.
        optimizers: one for each update, by the update's name.
        epoch_length: iterations in an epoch; the loader's length if not given.
        amp: mixed precision on or off.
        amp_dtype: ``"bfloat16"`` or ``"float16"`` (the latter with gradient scaling).
        compile: translate the objective's :meth:`~.Objective.compilable` networks with ``torch.compile``.
        max_grad_norm: clip each update's gradient to this L2 norm.
        accumulation_steps: cut each share into this many micro-batches and accumulate their gradients.
        divergence_limit: a term beyond this, or not finite, ends the training with a :class:`.TrainingError`.
        check_interval: iterations between two looks at that, each of which waits for the device.

    Raises:
        ValueError: when an update has no optimizer, or an option is out of range.
    """

    def __init__(
        self,
        device: torch.device | str,
        max_epochs: int,
        train_data_loader: Iterable,
        objective: Objective,
        optimizers: Mapping[str, Optimizer],
        *,
        epoch_length: int | None = None,
        non_blocking: bool = False,
        prepare_batch: Callable[..., dict[str, Any]] = move_batch,
        postprocessing: Callable | None = None,
        key_train_metric: dict[str, Metric] | None = None,
        additional_metrics: dict[str, Metric] | None = None,
        train_handlers: Sequence | None = None,
        amp: bool = False,
        amp_dtype: str = "bfloat16",
        compile: bool = False,
        decollate: bool = True,
        max_grad_norm: float | None = None,
        accumulation_steps: int = 1,
        divergence_limit: float = 1e6,
        check_interval: int = 50,
        to_kwargs: dict | None = None,
    ) -> None:
        if amp_dtype not in _AMP_DTYPES:
            raise ValueError(f"amp_dtype must be one of {sorted(_AMP_DTYPES)}, got '{amp_dtype}'.")
        if max_epochs < 1:
            raise ValueError(f"max_epochs must be at least 1, got {max_epochs}.")
        if accumulation_steps < 1 or check_interval < 1:
            raise ValueError(
                "accumulation_steps and check_interval must be at least 1, "
                f"got {accumulation_steps} and {check_interval}."
            )
        self.objective = objective
        self.optimizers = dict(optimizers)
        self.updates = tuple(objective.updates())
        missing = sorted({u.name for u in self.updates} - set(self.optimizers))
        if missing:
            raise ValueError(f"every update needs an optimizer of its name; missing: {', '.join(missing)}.")
        self.amp_dtype = _AMP_DTYPES[amp_dtype]
        self.compile = compile
        self.max_grad_norm = max_grad_norm
        self.accumulation_steps = accumulation_steps
        self.divergence_limit = divergence_limit
        self.check_interval = check_interval
        self._trainable = [p for u in self.updates for p in u.parameters()]
        self._worst: Tensor | None = None
        solving = [SolveAtEpochEnd(objective)] if isinstance(objective, SolvedObjective) else []
        super().__init__(
            device=device,
            max_epochs=max_epochs,
            data_loader=train_data_loader,
            epoch_length=epoch_length,
            non_blocking=non_blocking,
            prepare_batch=prepare_batch,
            postprocessing=postprocessing,
            key_metric=key_train_metric,
            additional_metrics=additional_metrics,
            handlers=[*solving, *(train_handlers or ())],
            amp=amp,
            decollate=decollate,
            to_kwargs=to_kwargs,
        )
        StopAtStep().attach(self)
        self.add_event_handler(Events.STARTED, self._start)
        self.add_event_handler(Events.ITERATION_COMPLETED(every=check_interval), self._check_finite)
        self.add_event_handler(Events.EPOCH_COMPLETED, self._check_finite)
        self.add_event_handler(Events.COMPLETED, self._check_finite)  # a run that a budget ended within an epoch

    # ---- one iteration -------------------------------------------------------------------------------------------

    def _iteration(self, engine: ObjectiveTrainer, batchdata: Mapping[str, Any]) -> dict[str, Any]:
        batch = self.prepare_batch(batchdata, self.state.device, self.non_blocking, **self.to_kwargs)
        losses = self._descend(batch) if self.updates else self._collect(batch)
        output: dict[str, Any] = {key: batch[key] for key in (Keys.IMAGE, Keys.LABEL) if key in batch}
        pred = self.objective.predict(batch[Keys.IMAGE])
        if pred is not None:
            output[Keys.PRED] = pred
        output |= losses
        self.state.output = output
        self.fire_event(IterationEvents.MODEL_COMPLETED)
        return self.state.output

    def _descend(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Make the steps of all updates; return the loss of the last one, all terms and the objective's metrics."""
        shares = self._shares(batch)
        values: Terms = {}
        for update in self.updates:
            steps = [self._step(update, next(shares)) for _ in range(update.repeats)]
            values |= {name: torch.stack([step[name] for step in steps]).mean() for name in steps[0]}
            loss = torch.stack([values[name] for name in steps[0]]).sum()
        self._watch(values)
        return self._numbers({Keys.LOSS: loss, **values}) | self.objective.metrics()

    def _collect(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Show a batch to an objective that is solved, which has no losses."""
        assert isinstance(self.objective, SolvedObjective)
        with eval_mode(self.objective):  # without gradients, too
            self.objective.collect(batch)
        return {}

    def _shares(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Cut a batch into equal shares, one for each step of the iteration."""
        steps = sum(update.repeats for update in self.updates)
        total = len(batch[Keys.IMAGE])
        size, rest = divmod(total, steps)
        if size == 0 or rest:
            raise ValueError(
                f"a batch must be a multiple of the {steps} steps of an iteration, got {total} images: set the "
                f"loader's batch_size to {steps} times the images of one step, with drop_last."
            )
        for i in range(steps):
            yield _rows(batch, i * size, (i + 1) * size)

    def _step(self, update: Update, share: dict[str, Any]) -> Terms:
        """Make one optimizer step and return the detached terms."""
        parameters = self._focus(update)
        optimizer = self.optimizers[update.name]
        optimizer.zero_grad(set_to_none=True)
        pieces = self._micro_batches(share)
        sums: list[Terms] = []
        for piece in pieces:
            with torch.autocast(self.state.device.type, dtype=self.amp_dtype, enabled=self.amp):
                terms = update.terms(piece)
            self.fire_event(IterationEvents.FORWARD_COMPLETED)
            self.fire_event(IterationEvents.LOSS_COMPLETED)
            factor = self._scale() / len(pieces)
            update.backward(terms if isinstance(factor, float) and factor == 1.0 else _scaled(terms, factor))
            self.fire_event(IterationEvents.BACKWARD_COMPLETED)
            sums.append({name: term.detach() for name, term in terms.items()})
        self._apply(optimizer, parameters)
        return {name: torch.stack([s[name] for s in sums]).mean() for name in sums[0]} if len(sums) > 1 else sums[0]

    def _focus(self, update: Update) -> list[nn.Parameter]:
        """Let gradients flow into this update's parameters only: the others' would be computed for nothing."""
        for p in self._trainable:
            p.requires_grad_(False)
        parameters = update.parameters()
        for p in parameters:
            p.requires_grad_(True)
        return parameters

    def _micro_batches(self, share: dict[str, Any]) -> list[dict[str, Any]]:
        if self.accumulation_steps == 1:
            return [share]
        total = len(share[Keys.IMAGE])
        if total % self.accumulation_steps:
            raise ValueError(f"accumulation_steps={self.accumulation_steps} must divide the {total} images of a step.")
        size = total // self.accumulation_steps
        return [_rows(share, i, i + size) for i in range(0, total, size)]

    def _scale(self) -> float | Tensor:
        if self.scaler is None:
            return 1.0
        return self.scaler.scale(torch.ones((), device=self.state.device))

    def _apply(self, optimizer: Optimizer, parameters: list[nn.Parameter]) -> None:
        for p in parameters:
            if p.grad is not None:
                p.grad = aligned(p.grad, p)
        if idist.get_world_size() > 1:
            _average_gradients(parameters)
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)
        if self.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(parameters, self.max_grad_norm)
        if self.scaler is None:
            optimizer.step()
        else:
            self.scaler.step(optimizer)
            self.scaler.update()

    # ---- guards and bookkeeping ----------------------------------------------------------------------------------

    def run(self) -> None:  # type: ignore[override]
        """Train; called again, go on from where the state is, and when that is the end, do what follows it.

        Raises:
            SystemExit: after the step in which a signal asked for the program's end.
        """
        if self.state.epoch >= self.state.max_epochs:  # Ignite would begin anew
            logger.info("all %d epochs are done; raise max_epochs to train on", self.state.max_epochs)
            self.fire_event(Events.STARTED)
            self.fire_event(Events.COMPLETED)
            return
        scaling = self.amp and self.amp_dtype is torch.float16
        self.scaler = torch.amp.GradScaler(self.state.device.type) if scaling else None  # type: ignore[assignment]
        # Trainer.run would make a CUDA scaler whatever the device and type are.
        super(Trainer, self).run()
        end_if_asked()

    def _start(self, _: Any) -> None:
        place(self.objective, self.state.device).train()
        if self.compile:
            compile_networks(self.objective.compilable(), self.state.device)
        for optimizer in self.optimizers.values():
            _align_state(optimizer)  # of a checkpoint, whose networks may have lain otherwise
        self._worst = None
        if idist.get_world_size() > 1:
            for tensor in self.objective.state_dict().values():
                if isinstance(tensor, Tensor):
                    idist.broadcast(tensor, src=0)

    def _numbers(self, values: Terms) -> dict[str, Any]:
        if self.state.device.type != "cpu":
            return dict(values)
        return dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True))

    def _watch(self, values: Terms) -> None:
        """Remember the worst term on the device; reading it each step would stall an accelerator."""
        largest = torch.stack([v.detach().float().abs() for v in values.values()]).nan_to_num(nan=math.inf).max()
        self._worst = largest if self._worst is None else torch.maximum(self._worst, largest)

    def _check_finite(self, _: Any) -> None:
        if self._worst is None:
            return
        worst, self._worst = float(self._worst), None
        if not worst <= self.divergence_limit:
            last = self.state.iteration
            raise TrainingError(
                f"the training diverged: between iterations {max(1, last - self.check_interval + 1)} and {last} a loss "
                f"reached {worst:g} (limit {self.divergence_limit:g}); the last checkpoint is from before that. Lower "
                "the learning rates, clip with max_grad_norm, or train in float32."
            )


def _rows(batch: dict[str, Any], start: int, stop: int) -> dict[str, Any]:
    return {k: v[start:stop] if isinstance(v, (Tensor, list)) else v for k, v in batch.items()}


def _scaled(terms: Terms, factor: float | Tensor) -> Terms:
    return {name: term * factor for name, term in terms.items()}


def _align_state(optimizer: Optimizer) -> None:
    """Bring what an optimizer keeps of each parameter into its order in memory."""
    for parameter, state in optimizer.state.items():
        state |= {key: aligned(value, parameter) for key, value in state.items() if isinstance(value, Tensor)}


def _average_gradients(parameters: list[nn.Parameter]) -> None:
    """Average gradients over the processes, in one message.

    DistributedDataParallel expects one forward of one wrapped module per backward; adversarial objectives call parts of
    several networks, so the averaging is done here, for any objective.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat: Any = idist.all_reduce(torch.cat([g.reshape(-1) for g in gradients]))
    flat = flat / idist.get_world_size()
    offset = 0
    for g in gradients:
        g.copy_(flat[offset : offset + g.numel()].view_as(g))
        offset += g.numel()
