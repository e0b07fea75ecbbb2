# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The phantoms: small generated data sets of real DICOM files, with known lesions.

Every bundle trains on one when no data are given, and tests use them. They are made of physics and chance, of no
person. Normals and lesion cases of the validation and test sets and of the unlabeled pool come in pairs that share
machine and settings (of radiographs the patient's size, too; of dermoscopy the skin, and size and color of the lesion,
which is benign in a normal), and every picture is adjusted to targets drawn without the label, so that no simple
statistic of an image tells it.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from monai_anomaly.phantom.dicom import write_dataset
from monai_anomaly.phantom.generators import Generator, PhantomKind, find_generator
from monai_anomaly.phantom.plan import SPLITS, Case, plan_cases
from monai_anomaly.utils.cache_folder import cache_folder

__all__ = ["make_phantom", "phantom_dir"]

Entry = dict[str, str | int]

logger = logging.getLogger(__name__)


def make_phantom(
    root: str | os.PathLike[str],
    *,
    kind: PhantomKind = "ultrasound",
    seed: int = 0,
    num_train: int = 240,
    num_val: int | None = None,
    num_test: int = 120,
    num_unlabeled: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the generated data set: DICOM files, lesion masks (PNG) and the data list `dataset.json`.

    The same seed gives the same bytes. Patients have one to three images (ultrasound) or one or two (the others) and
    are in one split only. The training set is normal; half of the validation and test sets and of the pool holds a
    lesion each, of the kinds in turn: mass, focus and cyst; nodule, opacity and effusion; spreading, nodular and
    regressing cancer, where the normals are benign lesions.

    The pool is the section `unlabeled` of the data list, which a list without a pool does not have. Its entries say
    what the images are, for experiments that set a share of abnormal ones, but its lesions have no masks. The other
    files are the same with and without it.

    Args:
        root: folder to make; it may exist, but must be empty.
        kind: ultrasound images, radiographs of the chest, or dermoscopy of the skin.
        seed: a non-negative number that decides everything.
        num_train: normal images to train on.
        num_val: images to validate on, an even number; by default 40 of ultrasound, 80 of the others.
        num_test: images to test on, an even number.
        num_unlabeled: images of the pool, an even number; by default 240 of radiographs and none of the others.
        progress: whether to show a progress bar.

    Returns:
        `root` as a path.

    Raises:
        ValueError: for an unknown kind; if a number of images is negative or, but for training, odd; or the folder is
            not empty.
    """
    generator = find_generator(kind)
    counts = _count_images(
        num_train,
        validation=generator.num_val if num_val is None else num_val,
        test=num_test,
        unlabeled=generator.num_unlabeled if num_unlabeled is None else num_unlabeled,
    )
    root = Path(root)
    if root.exists() and any(root.iterdir()):
        raise ValueError(f"The folder for the phantom must be empty: {root}. Give another one or empty it.")
    filled = {split: count for split, count in counts.items() if sum(count)}
    cases = plan_cases(seed, filled, generator.lesions, generator.most_images)
    _make_folders(root, cases)
    entries: dict[str, list[Entry]] = {split: [] for split in SPLITS if split != "unlabeled" or split in filled}
    for case in tqdm(cases, desc="phantom", unit="image", disable=not progress):
        entries[case.split].append(_write_case(generator, case, seed, root))
    _write_list(root, generator, seed, entries)
    return root


def _count_images(num_train: int, *, validation: int, test: int, unlabeled: int) -> dict[str, tuple[int, int]]:
    """Return how many images of each split are normal and abnormal."""
    in_pairs = {"validation": validation, "test": test, "unlabeled": unlabeled}
    if min(num_train, *in_pairs.values()) < 0 or any(number % 2 for number in in_pairs.values()):
        numbers = f"num_train={num_train}, num_val={validation}, num_test={test}, num_unlabeled={unlabeled}"
        raise ValueError(f"The numbers of images must be >= 0, and even for all but training, got {numbers}.")
    return {"training": (num_train, 0), **{split: (number // 2,) * 2 for split, number in in_pairs.items()}}


def _is_marked(case: Case) -> bool:
    """Whether the case gets a mask; nobody has marked the lesions of a pool."""
    return case.kind is not None and case.split != "unlabeled"


def _make_folders(root: Path, cases: Sequence[Case]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for case in cases:
        (root / case.split).mkdir(exist_ok=True)
        if _is_marked(case):
            (root / "masks" / case.split).mkdir(parents=True, exist_ok=True)


def _write_case(generator: Generator, case: Case, seed: int, root: Path) -> Entry:
    """Make one case, write its file (and mask), return its entry in the data list."""
    data, mask = generator.make(case, seed)
    write_dataset(data, root / f"{case.name}.dcm")
    entry: Entry = {"image": f"{case.name}.dcm", "label": int(mask is not None), "group": case.patient}
    if mask is not None and _is_marked(case):
        Image.fromarray(mask).save(root / "masks" / f"{case.name}.png")
        entry["mask"] = f"masks/{case.name}.png"
    return {**entry, "kind": case.kind or "normal"}


def _write_list(root: Path, generator: Generator, seed: int, entries: Mapping[str, list[Entry]]) -> None:
    about = {"name": "monai_anomaly phantom", "description": generator.about}
    text = json.dumps({**about, "version": generator.version, "seed": seed, **entries}, indent=1)
    (root / "dataset.json").write_text(text + "\n", encoding="utf-8")


def phantom_dir(seed: int = 0, *, kind: PhantomKind = "ultrasound", root: str | os.PathLike[str] | None = None) -> str:
    """Return the folder of the phantom of the default size, pool included, made when it is not there yet.

    It is built in a temporary folder that is renamed when complete, so an interrupted build leaves nothing half-made,
    and of two processes that build at once one wins and both get the whole.

    Args:
        seed: see `make_phantom`.
        kind: see `make_phantom`; each has a folder of its own.
        root: the cache folder; by default $MONAI_ANOMALY_CACHE, else $XDG_CACHE_HOME/monai_anomaly, else
            ~/.cache/monai_anomaly.

    Returns:
        The folder, which holds `dataset.json`.

    Raises:
        ValueError: for an unknown kind.
    """
    cache = cache_folder() if root is None else Path(root)
    target = cache / f"{find_generator(kind).folder}-seed{seed}"
    if not (target / "dataset.json").is_file():
        logger.info("Making the phantom (generated %s, not of persons) in %s; this takes seconds.", kind, target)
        cache.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=cache))
        try:
            _publish(make_phantom(work, kind=kind, seed=seed), target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    logger.info("Phantom: generated %s data (not of persons) in %s", kind, target)
    return str(target)


def _publish(work: Path, target: Path) -> None:
    """Rename a complete folder to its place; if another process was first, its equal result stays."""
    try:
        os.replace(work, target)
    except OSError:
        if not (target / "dataset.json").is_file():
            raise
