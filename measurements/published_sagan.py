# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""SAGAN's training as it was published: its network, its data, and its steps, one by one.

- the generator has a graph in the critic's step, which is thrown away, and each kind of images a pass of its own;
- the critic judges normal and restored images apart, and gets gradients in the generator's step, which nobody uses;
- pseudo-anomalies are made one by one in the data set, from pictures that are converted anew at each access;
- memory is contiguous, and normalizations are ``torch.nn.InstanceNorm2d``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision import transforms

from monai_anomaly.engines.objectives.base import Terms, backward_sum
from monai_anomaly.engines.objectives.sagan import SAGANObjective
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.losses.wasserstein import gradient_penalty
from monai_anomaly.networks.blocks.instance_norm import InstanceNorm
from monai_anomaly.networks.nets.sagan.generator import SAGANGenerator

__all__ = ["PUBLISHED", "PublishedData", "PublishedSteps", "publish", "to_pictures"]

EPOCH_LENGTH = 120
"""Batches until the published loader begins anew, with the published data and batch size."""

PUBLISHED = {
    "position": "official",
    "gate_norm": "instance",
    "norm": "patch",
    "output": "tanh",
    "mask": "official",
    "padding": "zeros",
}
"""Arguments of the generator; sizes are the bundle's."""


# ---- the published network -----------------------------------------------------------------------------------------


def publish(generator: SAGANGenerator) -> SAGANGenerator:
    """Replace, in place, each normalization by torch's with the same weights.

    Those with weights also track statistics, but for those behind transposed convolutions, as published; in training
    mode these are written and never read.

    Raises:
        ValueError: when the patches of an image share a normalization, which torch's cannot do.
    """
    for module in list(generator.modules()):
        after_up = isinstance(module, nn.Sequential) and isinstance(module[0], nn.ConvTranspose2d)
        for name, norm in module.named_children():
            if isinstance(norm, InstanceNorm):
                module.register_module(name, _torch_norm(norm, track=norm.weight is not None and not after_up))
    return generator


def _torch_norm(norm: InstanceNorm, *, track: bool) -> nn.InstanceNorm2d:
    if norm.maps != 1:
        raise ValueError("a published generator normalizes each patch by itself; make it with norm='patch'.")
    theirs = nn.InstanceNorm2d(norm.channels, norm.eps, affine=norm.weight is not None, track_running_stats=track)
    if norm.weight is not None:
        theirs.to(norm.weight)  # its type and device
    theirs.load_state_dict(norm.state_dict(), strict=False)  # without statistics
    return theirs


# ---- the published data --------------------------------------------------------------------------------------------


def to_pictures(signal: Tensor) -> list[Image.Image]:
    """Images ``(N, C, S, S)`` in [-1, 1], others are clipped, to 8-bit pictures, gray or RGB."""
    pixels = ((signal.clamp(-1.0, 1.0) + 1.0) * 127.5).round().byte().movedim(1, 3).cpu().numpy()
    return [Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture) for picture in pixels]


class PublishedData(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """A picture of the pool, one of the normals and its pseudo-anomaly, always those of one index.

    Args:
        pool: pictures of one size; they are repeated where there are fewer than normals.
        normals: at least two.
        seed: of the pseudo-anomalies.

    Source of the pseudo-anomaly: Tan et al., "Detecting outliers with foreign patch interpolation", MELBA 2022,
    arXiv:2011.04197, with SAGAN's constants (Zhang et al., MICCAI 2024, arXiv:2405.12872).
    """

    def __init__(self, pool: Sequence[Image.Image], normals: Sequence[Image.Image], *, seed: int = 0) -> None:
        self.pool = pool
        self.normals = normals
        self.size = normals[0].size[0]
        self.random = np.random.default_rng(seed)
        channels = len(normals[0].getbands())
        self.transform = transforms.Compose(
            [
                transforms.Resize((self.size, self.size)),  # they have this size
                transforms.ToTensor(),
                transforms.Normalize([0.5] * channels, [0.5] * channels),
            ]
        )

    def __len__(self) -> int:
        return len(self.normals)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return three images ``(C, S, S)`` in [-1, 1]."""
        unlabeled = self.transform(self.pool[index % len(self.pool)])
        normal = self.transform(self.normals[index])
        donor = (index + int(self.random.integers(1, len(self)))) % len(self)
        mixed = self._interpolate(normal.numpy(), self.transform(self.normals[donor]).numpy())
        return unlabeled, normal, torch.from_numpy(mixed)

    def _interpolate(self, image: np.ndarray, donor: np.ndarray) -> np.ndarray:
        draw, size = self.random, self.size
        row, column = draw.integers(int(0.2 * size), int(0.8 * size), 2)
        half = draw.integers(round(0.05 * size), round(0.2 * size))
        mask = np.zeros((1, size, size), dtype=np.float32)
        mask[:, max(row - half, 0) : row + half, max(column - half, 0) : column + half] = 1.0
        share = np.float32(draw.uniform()) * mask
        return (1.0 - share) * image + share * donor


# ---- the published steps -------------------------------------------------------------------------------------------


class PublishedSteps:
    """Updates of a copy of a generator and a critic as they were published: each with a pass of its objective.

    Args:
        trainer: of a :class:`SAGANObjective` with a pool: losses, learning rates, batch size and images are its own.
        generator: what to train a copy of in place of the trainer's.
        workers: processes that make the batches, as published 1; 0 is this process.
    """

    def __init__(self, trainer: ObjectiveTrainer, generator: nn.Module | None = None, *, workers: int = 0) -> None:
        objective = trainer.objective
        assert isinstance(objective, SAGANObjective)
        self.objective = objective  # for the losses and their weights
        self.device = torch.device(trainer.state.device)
        self.generator = self._take(objective.detector.generator if generator is None else generator)
        self.critic = self._take(objective.critic)
        self.optimizers = {
            "generator": _like(trainer.optimizers["generator"], self.generator),
            "critic": _like(trainer.optimizers["critic"], self.critic),
        }
        self.loader = _loader(trainer, workers)
        self._batches: Iterator[Any] = iter(())

    def _take(self, module: nn.Module) -> nn.Module:
        copied = copy.deepcopy(module).to(self.device, memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return copied.train().requires_grad_(True)

    def iterate(self) -> None:
        """As many iterations as one of the trainer has critic's updates; the last one updates the generator, too."""
        for number in range(1, self.objective.n_critic + 1):
            unlabeled, normal, corrupted = (part.to(self.device) for part in self._next())
            self.step("critic", self.critic_terms(normal, unlabeled))
            if number == self.objective.n_critic:
                self.step("generator", self.generator_terms(normal, unlabeled, corrupted))

    def _next(self) -> Any:
        batch = next(self._batches, None)
        if batch is None:
            self._batches = iter(self.loader)
            batch = next(self._batches)
        return batch

    def step(self, name: str, terms: Terms) -> None:
        """One step of an optimizer; the gradients that the losses give to the other network are thrown away."""
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        backward_sum(terms)
        self.optimizers[name].step()

    def critic_terms(self, normal: Tensor, unlabeled: Tensor) -> Terms:
        """Return the critic's losses for images ``(B, C, S, S)`` in [-1, 1]."""
        on_normal = self.critic(normal)
        restored = self.generator(unlabeled)  # with a graph
        on_restored = self.critic(restored.detach())
        weight = self.objective.critic_loss.penalty_weight
        return {
            "critic_wasserstein": on_restored.mean() - on_normal.mean(),
            "critic_penalty": weight * gradient_penalty(self.critic, normal, restored),
        }

    def generator_terms(self, normal: Tensor, unlabeled: Tensor, corrupted: Tensor) -> Terms:
        """Return the generator's losses for ``(B, C, S, S)`` in [-1, 1]; the critic gets gradients, too."""
        objective = self.objective
        kept, restored, undone = self.generator(normal), self.generator(unlabeled), self.generator(corrupted)
        return {
            "identity": objective.identity_weight * F.l1_loss(kept, normal),
            "restoration": objective.restoration_weight * objective._error(undone, normal, corrupted),
            "adversarial": objective.adversarial_weight * objective.generator_loss(self.critic(restored)),
        }


def _like(optimizer: torch.optim.Optimizer, module: nn.Module) -> torch.optim.Optimizer:
    group = optimizer.param_groups[0]
    return torch.optim.Adam(module.parameters(), lr=group["lr"], betas=group["betas"])


def _loader(trainer: ObjectiveTrainer, workers: int) -> DataLoader:
    """Return the trainer's images in published batches, each as large as one of the trainer's steps."""
    whole: Any = trainer.data_loader
    steps = sum(update.repeats for update in trainer.updates)
    detector: Any = trainer.objective.detector
    pool, normals = (
        to_pictures(detector.signal(part.images[:])) for part in (whole.dataset.pool, whole.dataset.normals)
    )
    data = PublishedData(pool, normals)
    size = whole.batch_size // steps
    sampler = RandomSampler(data, num_samples=size * EPOCH_LENGTH)
    pin = torch.device(trainer.state.device).type == "cuda"
    return DataLoader(data, size, sampler=sampler, drop_last=True, num_workers=workers, pin_memory=pin)
