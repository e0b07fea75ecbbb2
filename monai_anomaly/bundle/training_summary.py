# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a training begins with and ends with, for the person at the terminal."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ignite.distributed as idist
import torch

from monai_anomaly.bundle.command_line import is_default
from monai_anomaly.bundle.next_commands import command_after, training_files
from monai_anomaly.data.lists.entries import NO_LABEL
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.handlers.training.time_budget import ENDLESS, TimeBudget
from monai_anomaly.utils.grouped_sentences import GroupedSentences
from monai_anomaly.utils.printable import printable
from monai_anomaly.utils.stop_signals import advise

if TYPE_CHECKING:  # scikit-learn's import, which comes with it, takes longer than scoring an image
    from monai_anomaly.guard.pool_check import PoolCheck

__all__ = ["FEW", "TrainingSummary"]

SHOWN = 8
"""Sorts of warnings that are told."""
FEW = 100
"""Training images below which an overlay for few normals is named: it was made on 64, and hurt with 240."""

WRITTEN = {
    "ckpt_dir": {
        "model.pt": "the detector",
        "checkpoint.pt": "to go on from, with --resume True",
        "checkpoint.previous.pt": "the one before, should that be damaged",
        "model.earlier.pt": "the detector of an earlier run",
        "checkpoint.earlier.pt": "the checkpoint of an earlier run",
    },
    "output_dir": {
        "history.csv": "losses and metrics of each epoch",
        "losses.csv": "the losses alone",
        "pool_check.json": "simple statistics of the pool beside those of the normals",
        "loss_curves.svg": "the losses as a picture",
        "quarantine_training.jsonl": "files that were left out",
        "quarantine_validation.jsonl": "files that were left out",
        "quarantine_pool.jsonl": "files that were left out",
        "teacher": "history and curves of the first stage",
        "student": "history and curves of the second stage",
        "tensorboard": "curves and pictures: tensorboard --logdir {path}",
    },
}
"""What a training writes, by the key of its folder."""

logger = logging.getLogger(__name__)


class TrainingSummary:
    """Prints what a training works on and with, and at its end what it wrote and what to type next.

    The first of several processes prints. A bundle calls :meth:`begin` in its ``training`` list after the data are
    read, and :meth:`end` last.

    Args:
        title: what is trained.
        sections: the images by section; None for one that there is not.
        datalists: lists that know what they leave out; see :class:`monai_anomaly.data.lists.left_out.ItemList`.
        epochs: the length of each stage, by its name; 0 for one that does not run.
        epoch_length: iterations in an epoch.
        budget: the run's time budget.
        device: where it is computed.
        run: ``bundle_root``, ``dataset_dir``, ``output_dir``, ``ckpt_dir``, ``source_names`` and ``allow_outside``.
        resume: whether the run goes on from a checkpoint.
        few_normals: the bundle's overlay for few normals, to be named where there are few; None where it has none, or
            this run has it.
        calibrate: whether the validation section may calibrate.
        pool_check: what simple statistics say of the pool and the normals; None without a pool.
    """

    def __init__(
        self,
        title: str,
        *,
        sections: Mapping[str, CachedDataset | None],
        datalists: Sequence[Any],
        epochs: Mapping[str, int],
        epoch_length: int,
        budget: TimeBudget,
        device: torch.device | str,
        run: Mapping[str, Any],
        resume: bool = False,
        few_normals: str | None = None,
        calibrate: bool = True,
        pool_check: PoolCheck | None = None,
    ) -> None:
        self.title = title
        self.sections = {name: data for name, data in sections.items() if data is not None}
        self.datalists = datalists
        self.epochs = {stage: count for stage, count in epochs.items() if count}
        self.epoch_length = epoch_length
        self.budget = budget
        self.device = torch.device(device)
        self.run = {key: os.path.expanduser(value) if isinstance(value, str) else value for key, value in run.items()}
        self.resume = resume
        self.few_normals = few_normals
        self.calibrate = calibrate
        self.pool_check = pool_check

    def begin(self) -> None:
        """Print what the training begins with."""
        advise("there is no checkpoint to go on from yet" if not self.resume else "")
        if idist.get_rank() == 0:
            lines = [f"  {name:<12} {text}" for name, text in self._facts()]
            print("\n".join([f"Training of {self.title}", *lines]), flush=True)

    def end(self) -> None:
        """Print what was written and the next commands; warn where the budget cut the training short."""
        if idist.get_rank() > 0:
            return
        if self.budget.unfinished:
            logger.warning("the time budget cut the training short: %s; raise max_minutes.", self.budget.unfinished)
        print("Written")
        for path, meaning in self._written():
            print(f"  {path}  {meaning}")
        roles = ("calibrate", "evaluate") if self._can_calibrate() else ("evaluate",)
        print("Next, calibrate with held-out normals, then evaluate" if len(roles) == 2 else "Next, evaluate")
        for role in roles:
            print(f"  {self._command(role)}", flush=True)

    def _facts(self) -> Iterator[tuple[str, str]]:
        for name, data in self.sections.items():
            yield name, _describe(data)
        left_out = self._left_out()
        if left_out:
            yield "left out", "; ".join(left_out)
        for number, told in enumerate(self._warnings()):
            yield "" if number else "warnings", told
        for number, told in enumerate(self._pool_check()):
            yield "" if number else "pool check", told
        threads = torch.get_num_threads()
        yield (
            "device",
            f"{self.device}, {threads} thread{'s' * (threads != 1)}" if _is_cpu(self.device) else str(self.device),
        )
        yield "data", f"{self.run['dataset_dir']}{' (generated)' if is_default('dataset_dir') else ''}"
        yield "folders", f"output_dir {self.run['output_dir']}, ckpt_dir {self.run['ckpt_dir']}"
        yield "length", self._length()
        if self.resume:
            yield "resumes", str(Path(self.run["ckpt_dir"]) / "checkpoint.pt")
        n_normal = len(self.sections["training"])
        if self.few_normals is not None and n_normal < FEW:
            files = training_files(self.run["bundle_root"], self.few_normals)
            yield "few normals", f"{n_normal} are few; stronger augmentation may help: {files}"

    def _left_out(self) -> list[str]:
        counts: Counter[str] = sum((Counter(getattr(items, "left_out", {})) for items in self.datalists), Counter())
        told = [f"{count} {why}" for why, count in counts.items()]
        for name, data in self.sections.items():
            if data.quarantined:
                told.append(f"{_count(len(data.quarantined), 'file')} that cannot be read (quarantine_{name}.jsonl)")
        return told

    def _warnings(self) -> list[str]:
        """Return what the reader had to say of the images, such as of a black one, with numbers of images."""
        told = []
        for name, data in self.sections.items():
            said = GroupedSentences()
            for item in data.items:
                if item.get("warnings"):
                    said.add(printable(str(item.get("name"))), str(item["warnings"]))
            told += [
                f"{_count(count, f'{name} image')}: {text} (first: {first})" for count, first, text in said.groups()
            ]
        more = len(told) - SHOWN
        return told if more <= 0 else [*told[:SHOWN], f"and {more} more sorts"]

    def _pool_check(self) -> list[str]:
        """Return what simple statistics say of the pool."""
        if self.pool_check is None:
            return []
        first, *more = self.pool_check.sentences
        return [f"WARNING: {first}" if self.pool_check.is_strong else first, *more]

    def _length(self) -> str:
        """Return epochs and iterations of the stages, and the budget; a million epochs are no length."""
        each = [f"{stage} {count} epochs" for stage, count in self.epochs.items() if count < ENDLESS]
        limit = "" if self.budget.seconds is None else f"{self.budget.seconds / 60:g} minutes"
        if not each:
            return limit or "endless"
        length = f"{', '.join(each)} of {self.epoch_length} iterations"
        return f"{length}; at most {limit}" if limit else length

    def _written(self) -> list[tuple[str, str]]:
        found = [
            (Path(self.run[key]) / name, meaning) for key, names in WRITTEN.items() for name, meaning in names.items()
        ]
        paths = [(str(path), meaning.format(path=path)) for path, meaning in found if _has_content(path)]
        width = max((len(path) for path, _ in paths), default=0)
        return [(path.ljust(width), meaning) for path, meaning in paths]

    def _can_calibrate(self) -> bool:
        """Whether the validation section has what a calibration needs at least: normals of two patients."""
        normals = [item for item in self.sections["validation"].items if item.get("label") == 0]
        return self.calibrate and _count_patients(normals) > 1

    def _command(self, role: str) -> str:
        names = ("bundle_root", "output_dir", "ckpt_dir")
        return command_after(
            role,
            **{name: str(self.run[name]) for name in names},
            dataset_dir=None if is_default("dataset_dir") else str(self.run["dataset_dir"]),
            allow_outside=self.run.get("allow_outside"),
            source_names=bool(self.run["source_names"]),
            device="cpu" if _is_cpu(self.device) and torch.cuda.is_available() else None,
        )


def _has_content(path: Path) -> bool:
    """Whether there is something in a file; where nothing was left out, the list of what was is empty."""
    return path.is_dir() or (path.is_file() and path.stat().st_size > 0)


def _is_cpu(device: torch.device) -> bool:
    return device.type == "cpu"


def _describe(data: CachedDataset) -> str:
    """Return numbers of images by label, of patients and of copies."""
    words = {0: "normal", 1: "abnormal", NO_LABEL: "unlabeled"}
    labels = [item.get("label", NO_LABEL) for item in data.items]
    each = [f"{labels.count(label)} {word}" for label, word in words.items() if label in labels]
    patients = _count_patients(data.items)
    copies = sum(len(group) - 1 for group in data.duplicates)
    told = f"{' and '.join(each)} images of {_count(patients, 'patient')}"
    return f"{told}, {copies} of them copies" if copies else told


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _count_patients(items: Sequence[Mapping[str, Any]]) -> int:
    """Return the number of groups; an image without one stands for a patient."""
    return len({item.get("group", item.get("name")) for item in items})
