# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a method minimizes: the contract between a method and the one trainer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

__all__ = ["Objective", "SolvedObjective", "Update", "backward_sum", "leave_intact"]

Batch = Mapping[str, Tensor]
Terms = dict[str, Tensor]


def backward_sum(terms: Terms) -> None:
    """Back-propagate the plain sum of the terms."""
    torch.stack(list(terms.values())).sum().backward()


def leave_intact(image: Tensor) -> tuple[Tensor, Tensor]:
    """In place of a corruption: return the images ``(B, C, H, W)`` themselves and an empty mask ``(B, 1, H, W)``."""
    return image, torch.zeros_like(image[:, :1])


@dataclass(frozen=True)
class Update:
    """One kind of parameter update within an iteration.

    Args:
        name: name of the update, and the key of its optimizer.
        modules: what it trains; everything else of the objective is frozen meanwhile.
        terms: computes the named scalar losses of a batch (a dictionary with `image` ``(B, C, H, W)`` and what else
            the data set gives); their sum is what the update minimizes and what is logged.
        repeats: how often an iteration makes it, each time with a fresh share of the iteration's batch.
        backward: turns the (possibly scaled) terms into gradients; the default back-propagates their sum.
    """

    name: str
    modules: tuple[nn.Module, ...]
    terms: Callable[[Batch], Terms]
    repeats: int = 1
    backward: Callable[[Terms], None] = field(default=backward_sum)

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise ValueError(f"repeats of update '{self.name}' must be at least 1, got {self.repeats}.")

    def parameters(self) -> list[nn.Parameter]:
        """Return the parameters that this update trains."""
        return [p for module in self.modules for p in module.parameters()]


class Objective(nn.Module, ABC):
    """What one method minimizes.

    It owns the detector that is trained, its adversaries and its losses, and lists the updates of an iteration in
    order. It knows nothing of devices, mixed precision, logging or checkpoints. State that is not a parameter or
    buffer (a loss-weight policy, say) travels in the extra state, as tensors and numbers only.

    Args:
        augment: changes the images ``(B, C, H, W)`` of each step.

    Attributes:
        detector: what is trained and saved; a stage that only prepares another one (a pretext task) has none.
    """

    detector: nn.Module

    def __init__(self, augment: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.augment = augment

    @abstractmethod
    def updates(self) -> Sequence[Update]:
        """Return the updates of one iteration, in order; the last one is the detector's own."""

    def metrics(self) -> dict[str, float]:
        """Further numbers worth a curve, such as adaptive loss weights."""
        return {}

    def predict(self, image: Tensor) -> Tensor | None:
        """Return a prediction for the trainer's output where it costs next to nothing, else ``None``."""
        return None

    def compilable(self) -> Sequence[nn.Module]:
        """Return the networks that ``torch.compile`` may translate: all that updates train, if not overridden.

        A network whose own methods are called, not itself, gains nothing; one with a gradient penalty cannot be
        translated, since compiled functions have no second derivative.
        """
        return list(dict.fromkeys(module for update in self.updates() for module in update.modules))

    def augmented(self, image: Tensor) -> Tensor:
        """Return the images ``(B, C, H, W)`` as a step is to see them."""
        return image if self.augment is None else self.augment(image)

    def reduce_to_arithmetic(self) -> None:
        """Give up, for good, all work on images and on the losses' weights; the updates' own arithmetic remains.

        For timings: what an iteration takes beyond that could be saved. A method that corrupts images or adapts
        weights overrides it.
        """
        self.augment = None


class SolvedObjective(Objective):
    """What a method solves that descends nothing: distances, a Gaussian, a regression on frozen features.

    Each epoch of its trainer is one pass: :meth:`collect` sees every batch, in evaluation mode and without gradients,
    and :meth:`solve` sets the detector at the pass's end, also at one that a time budget ended early, before any other
    handler of an epoch's end. What was collected is no state: a run that is resumed begins its pass anew.
    """

    def updates(self) -> Sequence[Update]:
        """Return nothing, since there are no steps."""
        return ()

    @abstractmethod
    def collect(self, batch: Batch) -> None:
        """Keep what the solution needs of a batch."""

    @abstractmethod
    def solve(self) -> None:
        """Set the detector from all that was collected, by all processes, and forget that."""
