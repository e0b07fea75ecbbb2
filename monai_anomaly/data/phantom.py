# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The phantom: a small generated ultrasound data set of real DICOM files, with known lesions.

Every bundle trains on it when no data are given, and tests use it. It is made of physics and chance, of no person.
Normals and lesion cases of the validation and test sets come in pairs that share patient sizes, machine and settings,
and every picture is adjusted to targets drawn without the label, so that no simple statistic of an image tells it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from monai_anomaly.data.phantom_anatomy import LESION_KINDS, LesionKind, draw_anatomy, draw_lesion, tissue
from monai_anomaly.data.phantom_console import acquire, adjust, draw_settings
from monai_anomaly.data.phantom_dicom import make_dataset, make_screen, write_dataset

__all__ = ["PHANTOM_VERSION", "make_phantom", "phantom_dir"]

PHANTOM_VERSION = 3
"""Counts up with every change of the generator that changes the files, so that an old cache is not taken for new."""

logger = logging.getLogger(__name__)

_SPLITS = ("training", "validation", "test")
_CINE_FRAMES = 5
_STORAGE = ("gray", "gray", "gray", "gray", "gray", "gray", "gray", "gray", "color", "cine")


@dataclass(frozen=True)
class _Case:
    """One image to make. Pair members (same split and pair, other lesion) share all but anatomy and speckle."""

    split: str
    pair: int
    patient_pair: int
    patient: str
    number: int
    kind: LesionKind | None
    name: str

    def rng(self, seed: int, purpose: int, *, paired: bool, patient: bool) -> np.random.Generator:
        unit = self.patient_pair if patient else self.pair
        own = 0 if paired or self.kind is None else 1
        return np.random.default_rng([seed, _SPLITS.index(self.split), purpose, unit, own])


def _group_sizes(rng: np.random.Generator, images: int) -> list[int]:
    """Images of each patient, one to three."""
    sizes: list[int] = []
    while sum(sizes) < images:
        sizes.append(min(int(rng.integers(1, 4)), images - sum(sizes)))
    return sizes


def _plan(seed: int, counts: dict[str, tuple[int, int]]) -> list[_Case]:
    """All cases in the order of their file names, which is shuffled within a split."""
    rng = np.random.default_rng([seed])
    cases: list[_Case] = []
    patients = 0
    for split, (normal, abnormal) in counts.items():
        owners = np.repeat(*_owners(rng, max(normal, abnormal)))
        numbers = rng.permutation(2 * (int(owners.max()) + 1) if abnormal else int(owners.max()) + 1) + patients + 1
        kinds = rng.permutation(np.arange(abnormal) % len(LESION_KINDS))
        members: list[tuple[int, LesionKind | None]] = [(pair, None) for pair in range(normal)]
        members += [(pair, LESION_KINDS[kinds[pair]]) for pair in range(abnormal)]
        for place, member in enumerate(rng.permutation(len(members))):
            pair, kind = members[member]
            owner = int(owners[pair])
            patient = numbers[owner if kind is None else len(numbers) // 2 + owner]
            within = pair - int(np.flatnonzero(owners == owner)[0])
            name = f"{split}/{place + 1:04d}"
            cases.append(_Case(split, pair, owner, f"{patient:04d}", within + 1, kind, name))
        patients += len(numbers)
    return cases


def _owners(rng: np.random.Generator, images: int) -> tuple[NDArray[np.int64], list[int]]:
    sizes = _group_sizes(rng, images)
    return np.arange(len(sizes)), sizes


def _write_case(case: _Case, seed: int, root: Path) -> dict[str, str | int]:
    """Make one case, write its file (and mask), return its entry in the data list."""
    machine = case.rng(seed, 0, paired=True, patient=True)
    view = case.rng(seed, 1, paired=True, patient=False)
    settings = draw_settings(machine, view)
    screen, (top, left) = make_screen(settings.probe, view)
    storage = _STORAGE[int(view.integers(len(_STORAGE)))]
    body = case.rng(seed, 2, paired=False, patient=True)
    tissue_rng = case.rng(seed, 3, paired=False, patient=False)
    anatomy = draw_anatomy(body, tissue_rng)
    lesion = None if case.kind is None else draw_lesion(tissue_rng, case.kind, settings.probe, anatomy)

    phases = tuple(0.15 * (frame - _CINE_FRAMES // 2) for frame in range(_CINE_FRAMES)) if storage == "cine" else (0.0,)
    echo = tissue(settings.probe, anatomy, lesion)
    pictures = adjust(acquire(settings, echo, tissue_rng, phases), settings, middle=len(phases) // 2)
    region = np.s_[top : top + settings.probe.rows, left : left + settings.probe.columns]
    frames = np.repeat(screen[None], len(phases), axis=0)
    for frame, picture in zip(frames, pictures, strict=True):
        frame[region] = picture[..., None]
    if storage != "color":
        frames = np.asarray([np.asarray(Image.fromarray(frame).convert("L")) for frame in frames])
    data = make_dataset(
        frames if storage == "cine" else frames[0],
        words=(f"{PHANTOM_VERSION}/{seed}", case.name),
        patient=case.patient,
        study=case.patient,
        number=case.number,
        probe=settings.probe,
        corner=(top, left),
    )
    write_dataset(data, root / f"{case.name}.dcm")
    entry: dict[str, str | int] = {"image": f"{case.name}.dcm", "label": int(lesion is not None), "group": case.patient}
    if lesion is not None:
        x, z, _, _ = settings.probe.pixel_grid
        mask = np.zeros(screen.shape[:2], np.uint8)
        mask[region] = 255 * ((lesion.level(x, z) < 1) & settings.probe.inside)
        Image.fromarray(mask).save(root / "masks" / f"{case.name}.png")
        entry["mask"] = f"masks/{case.name}.png"
    return {**entry, "kind": case.kind or "normal"}


def make_phantom(
    root: str | os.PathLike[str],
    *,
    seed: int = 0,
    num_train: int = 240,
    num_val: int = 40,
    num_test: int = 120,
    progress: bool = True,
) -> Path:
    """Write the generated data set: DICOM files, lesion masks (PNG) and the data list `dataset.json`.

    The same seed gives the same bytes. Patients have one to three images and are in one split only. The training set is
    normal; half of the validation and test sets holds a lesion each, of the kinds in turn.

    Args:
        root: folder to make; it may exist, but must be empty.
        seed: a non-negative number that decides everything.
        num_train: normal images to train on.
        num_val: images to validate on, an even number.
        num_test: images to test on, an even number.
        progress: whether to show a progress bar.

    Returns:
        `root` as a path.

    Raises:
        ValueError: if a number of images is negative or, for validation and test, odd; or the folder is not empty.
    """
    counts = {"training": (num_train, 0), "validation": (num_val // 2,) * 2, "test": (num_test // 2,) * 2}
    if min(num_train, num_val, num_test) < 0 or num_val % 2 or num_test % 2:
        numbers = f"num_train={num_train}, num_val={num_val}, num_test={num_test}"
        raise ValueError(f"The numbers of images must be >= 0, and even for validation and test, got {numbers}.")
    root = Path(root)
    if root.exists() and any(root.iterdir()):
        raise ValueError(f"The folder for the phantom must be empty: {root}. Give another one or empty it.")
    cases = _plan(seed, {split: count for split, count in counts.items() if sum(count)})
    for case in cases:
        (root / case.split).mkdir(parents=True, exist_ok=True)
        if case.kind is not None:
            (root / "masks" / case.split).mkdir(parents=True, exist_ok=True)
    entries: dict[str, list[dict[str, str | int]]] = {split: [] for split in _SPLITS}
    for case in tqdm(cases, desc="phantom", unit="image", disable=not progress):
        entries[case.split].append(_write_case(case, seed, root))
    about = {"name": "monai_anomaly phantom", "description": "Generated ultrasound with known lesions; not of persons"}
    text = json.dumps({**about, "version": PHANTOM_VERSION, "seed": seed, **entries}, indent=1)
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.json").write_text(text + "\n", encoding="utf-8")
    return root


def _cache_root() -> Path:
    own = os.environ.get("MONAI_ANOMALY_CACHE")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "monai_anomaly"


def phantom_dir(seed: int = 0, *, root: str | os.PathLike[str] | None = None) -> str:
    """The folder of the phantom of the default size, made when it is not there yet.

    It is built in a temporary folder that is renamed when complete, so an interrupted build leaves nothing half-made,
    and of two processes that build at once one wins and both get the whole.

    Args:
        seed: see `make_phantom`.
        root: the cache folder; by default $MONAI_ANOMALY_CACHE, else $XDG_CACHE_HOME/monai_anomaly, else
            ~/.cache/monai_anomaly.

    Returns:
        The folder, which holds `dataset.json`.
    """
    cache = _cache_root() if root is None else Path(root)
    target = cache / f"phantom-v{PHANTOM_VERSION}-seed{seed}"
    if not (target / "dataset.json").is_file():
        logger.info("Making the phantom (generated ultrasound, not of persons) in %s; this takes seconds.", target)
        cache.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=cache))
        try:
            _publish(make_phantom(work, seed=seed), target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    logger.info("Phantom: generated ultrasound data (not of persons) in %s", target)
    return str(target)


def _publish(work: Path, target: Path) -> None:
    """Rename a complete folder to its place; if another process was first, its equal result stays."""
    try:
        os.replace(work, target)
    except OSError:
        if not (target / "dataset.json").is_file():
            raise
