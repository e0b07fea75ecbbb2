# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a training iteration cannot do without."""

from __future__ import annotations

import copy

import torch

from monai_anomaly.engines.trainer import ObjectiveTrainer

__all__ = ["ComputeFloor"]


class ComputeFloor:
    """The forwards, backwards and optimizer steps of an iteration, and nothing else.

    With the same batch and random numbers, and a trainer that neither augments nor adapts weights, both end with the
    same weights, bit by bit.

    Args:
        trainer: whose objective and optimizers to copy, as they are now: shapes, memory format, cached features.
    """

    def __init__(self, trainer: ObjectiveTrainer) -> None:
        # One copy of both, so that the optimizers' parameters are the copied objective's.
        self.objective, self.optimizers = copy.deepcopy((trainer.objective, trainer.optimizers))
        self.objective.reduce_to_arithmetic()
        self.updates = tuple(self.objective.updates())
        self.amp = {"device_type": trainer.state.device.type, "dtype": trainer.amp_dtype, "enabled": trainer.amp}
        batch = trainer.prepare_batch(next(iter(trainer.data_loader)), trainer.state.device)
        self.shares = list(trainer._shares(batch))
        self.parameters = [update.parameters() for update in self.updates]

    def step(self) -> None:
        """One iteration."""
        shares = iter(self.shares)
        for number, update in enumerate(self.updates):
            self._freeze_others(number)
            optimizer = self.optimizers[update.name]
            for _ in range(update.repeats):
                optimizer.zero_grad(set_to_none=True)
                with torch.autocast(**self.amp):
                    terms = update.terms(next(shares))
                update.backward(terms)
                del terms  # with its graph: memory that is used again at once is cheaper than new one
                optimizer.step()

    def _freeze_others(self, number: int) -> None:
        for parameters in self.parameters:
            for p in parameters:
                p.requires_grad_(False)
        for p in self.parameters[number]:
            p.requires_grad_(True)
