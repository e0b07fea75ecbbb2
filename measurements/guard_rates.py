# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How often the input guard refuses what: ``python -m measurements.guard_rates DATA_DIR... [--section test]``.

A data folder is one that ``load_datalist`` reads, or holds a ``manifest.csv`` with the columns ``file``, ``y`` (0
normal, 1 abnormal), ``split`` (``train``, ``val``, ``test``; others are left out) and ``group``. ``phantom`` is the
phantom. The guard is fitted on each folder's training normals; the table has the percentage that it refuses of the
section's normals as they are and changed, of the section's abnormal images, of the other folders' normals and of images
of noise. The facts (size, color) of the changed images are those of the unchanged ones. The second number is without.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.guard.input_guard import InputGuard
from monai_anomaly.phantom.phantom import phantom_dir
from monai_anomaly.transforms.intensity import NormalizeImage
from monai_anomaly.transforms.preprocessing import Preprocessing

__all__ = ["change_images", "main", "measure_column", "read_sections", "refused_share"]

Items = list[dict[str, Any]]
SECTIONS = {"train": "training", "val": "validation", "test": "test"}


def read_sections(folder: str, preprocessing: Preprocessing) -> dict[str, Items]:
    """Return the items of each section with images, not normalized."""
    root = Path(phantom_dir() if folder == "phantom" else folder)
    manifest = root / "manifest.csv"
    if manifest.is_file():
        rows = [row for row in csv.DictReader(manifest.open()) if row["split"] in SECTIONS]
        lists: dict[str, Items] = {section: [] for section in SECTIONS.values()}
        for row in rows:
            item = {"image": str(root / row["file"]), "label": int(row["y"]), "group": row["group"]}
            lists[SECTIONS[row["split"]]].append(item)
    else:
        lists = {section: load_datalist(root, section) for section in SECTIONS.values()}
    return {section: [preprocessing(item) for item in items] for section, items in lists.items()}


def change_images(images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return what a guard should, or should not, refuse, made of images in [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    side = images.shape[-1]
    small = F.interpolate(images, (side * 3 // 8,) * 2, mode="bilinear", antialias=True)
    black, white = images.clone(), images.clone()
    black[..., : side // 2], white[..., : side // 2] = 0, 1
    return {
        "inverted": 1 - images,
        "top to bottom": images.flip(2),
        "left to right": images.flip(3),
        "rotated by 90": images.rot90(1, (2, 3)),
        "half black": black,
        "half white": white,
        "pixels shuffled": images.flatten(2)[..., torch.randperm(side**2, generator=generator)].view_as(images),
        "blurred": F.interpolate(small, (side, side), mode="bilinear"),
        "noisier, .05": (images + 0.05 * torch.randn(images.shape, generator=generator)).clamp(0, 1),
        "darker, x .7": images * 0.7,
        "brighter, x 1.3": (images * 1.3).clamp(0, 1),
        "blank": torch.rand(len(images), 1, 1, 1, generator=generator).expand_as(images),
        "uniform noise": torch.rand(images.shape, generator=generator),
        "normal noise": (0.5 + 0.15 * torch.randn(images.shape, generator=generator)).clamp(0, 1),
    }


def refused_share(
    guard: InputGuard, images: Any, facts: Items, intensity: str, reasons: Counter[str] | None = None
) -> str:
    """Return the refused percentages, with and without facts."""
    normalize = NormalizeImage(intensity)
    ready = [normalize(image) for image in images]
    sentences = [guard.check(image, fact) for image, fact in zip(ready, facts, strict=True)]
    blind = [guard.check(image, {}) for image in ready]
    if reasons is not None:
        reasons.update(" ".join(s.split(":")[1].split()[:3]) for s in sentences if s)
    with_facts, without = (sum(map(bool, part)) * 100 / max(1, len(part)) for part in (sentences, blind))
    return f"{with_facts:.1f} / {without:.1f}" if with_facts != without else f"{with_facts:.1f}"


def measure_column(name: str, data: dict[str, dict[str, Items]], intensity: str, section: str) -> dict[str, str]:
    """Return one column of the table."""
    normalize = NormalizeImage(intensity)
    training = [item for item in data[name]["training"] if item["label"] == 0]
    normals = [item for item in data[name][section] if item["label"] == 0]
    abnormal = [item for item in data[name][section] if item["label"] == 1]
    images = torch.stack([normalize(item["image"]) for item in training])
    start = time.perf_counter()
    guard = InputGuard.fit(images, training)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    for item in images[:100]:
        guard.check(item, training[0])
    milliseconds = (time.perf_counter() - start) * 1000 / min(100, len(images))
    pixels, why = [item["image"] for item in normals], Counter[str]()
    column = {
        "training normals (patients)": f"{guard.n_images} ({guard.n_groups})",
        f"**normals** ({section})": refused_share(guard, pixels, normals, intensity, why) + f" of {len(normals)}",
        "abnormal": refused_share(guard, [i["image"] for i in abnormal], abnormal, intensity) + f" of {len(abnormal)}",
    }
    for change, changed in change_images(torch.stack(pixels)).items():
        column[change] = refused_share(guard, changed, normals, intensity)
    for other, parts in data.items():
        foreign = [item for items in parts.values() for item in items if item["label"] == 0]
        column[f"normals of {other}"] = (
            "-" if other == name else refused_share(guard, [i["image"] for i in foreign], foreign, intensity)
        )
    print(f"{name}, {intensity}: refused normals by reason: {dict(why)}")
    return {**column, "fit, s": f"{seconds:.2f}", "check, ms": f"{milliseconds:.2f}"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m measurements.guard_rates", description=__doc__.split("\n")[0])
    parser.add_argument("data_dir", nargs="+")
    parser.add_argument("--section", choices=("validation", "test"), default="validation")
    parser.add_argument("--intensity", nargs="+", default=["none", "zscore"])
    parser.add_argument("--image_size", type=int, default=64)
    options = parser.parse_args(arguments)
    preprocessing = Preprocessing(options.image_size)
    data = {Path(folder).name: read_sections(folder, preprocessing) for folder in options.data_dir}
    for intensity in options.intensity:
        columns = {name: measure_column(name, data, intensity, options.section) for name in data}
        print(f"\nrefused, % ({options.section}, intensity {intensity}, {options.image_size} px)\n")
        print(f"| | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
        for row in next(iter(columns.values())):
            print(f"| {row} | {' | '.join(column[row] for column in columns.values())} |")
        print()


if __name__ == "__main__":
    main()
