# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What SAGAN's training iteration saves over the same steps done as they were published.

``python -m measurements.published_steps`` times the bundle's trainer and, in turn with it, as many updates of the
critic and the generator with the same images, batch size and losses, done step by step:

- the generator has a graph in the critic's step, which is thrown away, and each kind of images a pass of its own;
- the critic judges normal and restored images apart, and gets gradients in the generator's step, which nobody uses;
- pseudo-anomalies are made one by one in the data set, from pictures that are converted anew at each access;
- memory is contiguous, and normalizations are ``torch.nn.InstanceNorm2d``.

They are timed with several networks. ``published network`` is the published one of the bundle's widths, which works at
full resolution; ``published steps`` has ``unshuffle`` as the bundle, so that both sides have convolutions of the same
cost (where that is 1, the two are one); ``same network`` is the bundle's own, so that what is left are the savings of
the loop.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision import transforms

from measurements.comparison import Comparison, Span, Stopwatch, format_table
from monai_anomaly.apps.arguments import count, override
from monai_anomaly.bundle.override_keys import check_keys
from monai_anomaly.engines.objectives.base import Terms, backward_sum
from monai_anomaly.engines.objectives.sagan import SAGANObjective
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.losses.wasserstein import gradient_penalty
from monai_anomaly.networks.blocks.instance_norm import InstanceNorm
from monai_anomaly.networks.nets.sagan.generator import SAGANGenerator
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["PUBLISHED_BAR", "PublishedData", "PublishedSteps", "main", "publish", "time_published_steps", "to_pictures"]

PUBLISHED_BAR = 1.0 / 1.4
"""At least 1.4 times as fast."""

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

FORMS = {"published_network": "published network", "published_steps": "published steps", "same_network": "same network"}
"""Keys and names of what is compared."""


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
                setattr(module, name, _torch_norm(norm, track=norm.weight is not None and not after_up))
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
    """Updates of a copy of a generator and a critic as they were published: each with a pass of its own.

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
        own = self.objective
        kept, restored, undone = self.generator(normal), self.generator(unlabeled), self.generator(corrupted)
        return {
            "identity": own.identity_weight * F.l1_loss(kept, normal),
            "restoration": own.restoration_weight * own._error(undone, normal, corrupted),
            "adversarial": own.adversarial_weight * own.generator_loss(self.critic(restored)),
        }


def _like(optimizer: torch.optim.Optimizer, module: nn.Module) -> torch.optim.Optimizer:
    group = optimizer.param_groups[0]
    return torch.optim.Adam(module.parameters(), lr=group["lr"], betas=group["betas"])


def _loader(trainer: ObjectiveTrainer, workers: int) -> DataLoader:
    """Return the trainer's images in published batches, each as large as one of the trainer's steps."""
    whole: Any = trainer.data_loader
    steps = sum(update.repeats for update in trainer.updates)
    detector: Any = trainer.objective.detector
    pool, normals = (to_pictures(detector.signal(part.images)) for part in (whole.dataset.pool, whole.dataset.normals))
    data = PublishedData(pool, normals)
    size = whole.batch_size // steps
    sampler = RandomSampler(data, num_samples=size * EPOCH_LENGTH)
    pin = torch.device(trainer.state.device).type == "cuda"
    return DataLoader(data, size, sampler=sampler, drop_last=True, num_workers=workers, pin_memory=pin)


# ---- timing --------------------------------------------------------------------------------------------------------


def time_published_steps(
    bundle: str | os.PathLike[str] = "bundles/sagan",
    *,
    rounds: int = 8,
    iterations: int = 10,
    workers: int = 0,
    overlays: Sequence[str] = (),
    train: Mapping[str, Any] | None = None,
    json_path: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Measure the bundle's iteration against each form of the published steps and print them as a table.

    Everything is written into one temporary folder, which is removed at the end.

    Args:
        bundle: the bundle's folder.
        rounds: how often all sides are timed, after one round that is not.
        iterations: of the trainer in a round.
        workers: see :class:`PublishedSteps`; processor time of a worker that has not ended is not counted.
        overlays: names of configurations that go over ``train.json``.
        train: overrides of ``train.json``, by key.
        json_path: where to write the numbers, if anywhere.

    Returns:
        The numbers, as written to the file.

    Raises:
        ConfigError: when `bundle` is no bundle that trains a SAGAN with a pool, or it does not know an override.
    """
    with tempfile.TemporaryDirectory(prefix="monai_anomaly-steps-") as folder, redirect_stdout(sys.stderr):
        own = {
            "output_dir": os.path.join(folder, "output"),
            "ckpt_dir": os.path.join(folder, "models"),
            "max_epochs": rounds + 1,
            "epoch_length": iterations,
            "val_interval": rounds + 2,  # never
        }
        config = _read(bundle, overlays, {**(train or {}), "bundle_root": os.fspath(bundle), **own})
        comparisons = _run(config, iterations, workers)
    print(format_table(list(comparisons.values())))
    for comparison in comparisons.values():
        cpu = statistics.median(comparison.ratios("cpu"))
        print(f"{comparison.name}: ours {1.0 / comparison.ratio:.2f} times as fast, {1.0 / cpu:.2f} by processor time")
    result: dict[str, Any] = {name: comparison.summary() for name, comparison in comparisons.items()}
    result["environment"] = {"threads": torch.get_num_threads(), "torch": torch.__version__, "workers": workers}
    if json_path is not None:
        atomic_write(json_path, json.dumps(result, indent=1) + "\n")
    return result


def _read(bundle: str | os.PathLike[str], overlays: Sequence[str], values: Mapping[str, Any]) -> ConfigParser:
    files = [Path(bundle) / "configs" / f"{name}.json" for name in ("train", *overlays)]
    for file in files:
        if not file.is_file():
            raise ConfigError(f"'{os.fspath(bundle)}' has no 'configs/{file.name}'; name another folder or overlay.")
    known = ConfigParser.load_config_files([str(file) for file in files])
    check_keys(values, known)
    config = ConfigParser(known)
    for key, value in values.items():
        config[key] = value
    return config


def _run(config: ConfigParser, iterations: int, workers: int) -> dict[str, Comparison]:
    """Train as the bundle does, with every handler, and the timer's behind them.

    Raises:
        ConfigError: when the trainer has no SAGAN or no pool.
    """
    config.get_parsed_content("initialize")
    steps = len(config["training"])
    for step in range(steps - 1):
        config.get_parsed_content(f"training#{step}")
    trainer = config.get_parsed_content("train#trainer")
    if not isinstance(trainer.objective, SAGANObjective) or not trainer.objective.adversarial:
        raise ConfigError("the published steps are those of SAGAN with a pool; name a bundle and data of that.")
    timer = _Timer(_generators(config.get_parsed_content("network_args")), iterations, workers)
    timer.attach(trainer)
    config.get_parsed_content(f"training#{steps - 1}")
    return timer.comparisons


def _generators(network: Mapping[str, Any]) -> dict[str, SAGANGenerator | None]:
    """Return the generator of each form, None for a copy of the trainer's."""
    own = network["generator"]

    def make(**arguments: Any) -> SAGANGenerator:
        return publish(
            SAGANGenerator(network["image_size"], network["in_channels"], **{**own, **PUBLISHED, **arguments})
        )

    full = {"published_network": make(unshuffle=1)} if own.get("unshuffle", 1) > 1 else {}
    return {**full, "published_steps": make(), "same_network": None}


class _Timer:
    """Times each epoch's iterations, and behind it as many updates of each form of the published steps.

    Args:
        generators: of each form, by its key in :data:`FORMS`; None for a copy of the trainer's.
        iterations: of an epoch.
        workers: see :class:`PublishedSteps`.
    """

    def __init__(self, generators: Mapping[str, SAGANGenerator | None], iterations: int, workers: int) -> None:
        self.comparisons = {key: Comparison(FORMS[key], PUBLISHED_BAR, per=iterations) for key in generators}
        self._generators = generators
        self._workers = workers
        self._sides: dict[str, PublishedSteps] = {}
        self._watch = Stopwatch()
        self._ours = Span(0.0, 0.0)

    def attach(self, trainer: ObjectiveTrainer) -> None:
        """Attach after all other handlers, so that those of iterations lie within what is timed."""
        last = Events.ITERATION_COMPLETED(event_filter=lambda e, i: i % e.state.epoch_length == 0)
        trainer.add_event_handler(Events.EPOCH_STARTED, self._start)
        trainer.add_event_handler(last, self._stop)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._time_published)

    def _start(self, trainer: ObjectiveTrainer) -> None:
        self._watch = Stopwatch(trainer.state.device)

    def _stop(self, _: Engine) -> None:
        self._ours = self._watch.read()

    def _time_published(self, trainer: ObjectiveTrainer) -> None:
        first = not self._sides
        if first:
            self._sides = {
                key: PublishedSteps(trainer, generator, workers=self._workers)
                for key, generator in self._generators.items()
            }
        for key, steps in self._sides.items():
            comparison = self.comparisons[key]
            watch = Stopwatch(trainer.state.device)
            for _ in range(comparison.per):
                steps.iterate()
            if not first:
                comparison.floor.append(watch.read())
                comparison.ours.append(self._ours)


# ---- command line --------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code, 1 for an error that its message explains."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.published_steps",
        description="Time SAGAN's training iteration against the same steps done as they were published.",
        epilog="On a machine that others use too, set OMP_NUM_THREADS=1, as for the other timings.",
    )
    parser.add_argument("--bundle", default="bundles/sagan", help="the bundle's folder (default: %(default)s)")
    parser.add_argument("--rounds", type=count, default=8, help="times that all sides run (default: %(default)s)")
    parser.add_argument("--iterations", type=count, default=10, help="of training, a round (default: %(default)s)")
    parser.add_argument("--workers", type=int, choices=(0, 1), default=0, help="processes of the published data loader")
    parser.add_argument(
        "--overlay", action="append", default=[], dest="overlays", metavar="NAME", help="configuration over train.json"
    )
    parser.add_argument(
        "--train",
        type=override,
        action="append",
        metavar="KEY=VALUE",
        help="override of train.json, the value in JSON",
    )
    parser.add_argument("--json", dest="json_path", metavar="FILE", help="also write the numbers to a file")
    options = vars(parser.parse_args(arguments))
    try:
        time_published_steps(**{**options, "train": dict(options["train"] or ())})
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
