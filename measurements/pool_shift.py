# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the pool check finds, and what a shifted pool does to a detector: ``python -m measurements.pool_shift DIR...``.

Each DIR is a data set: its training normals and test images are read, at most ``--images`` normal and as many abnormal
ones. Normals are split by patient at random, again and again: a third is the training, a third the pool's normals, a
third is tested. The pool is changed as another machine would have made it, and has no abnormal image or as many as
normal ones; the other half of the abnormal patients is tested. For each change:

- ``warns`` and ``more than chance``: in how many of the splits the check warns, and says that a statistic separates
  more than chance; the statistic that separates most, and its mean AUC;
- ``disease``: the AUC of a logistic regression, normals against pool, on features of EfficientNet-Lite0, for abnormal
  against normal test images that nothing was done to;
- ``machine``: the same for normal test images of the other machine against those of this one: .5 is a detector that
  does not care, 1 one that finds machines.
"""

from __future__ import annotations

import argparse
import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from monai_anomaly.apps.arguments import count
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.memory_source import memory_source
from monai_anomaly.guard.pool_check import PoolCheck, check_pool_statistics
from monai_anomaly.networks.nets.features.backbone import Backbone, make_backbone
from monai_anomaly.transforms.preprocessing import Preprocessing

__all__ = ["CHANGES", "Images", "Result", "main", "measure", "read_images"]

Pixels = npt.NDArray[np.float32]

SIZE = 128
STAGES = ("stage3", "stage4", "stage5", "stage6")
CLIP = 6.0
STRENGTH = 1e-3
"""Of the logistic regression, as scikit-learn's C."""


def _frame(image: Pixels) -> Pixels:
    """Return the image in another device's frame: a dark border of a twentieth, and a bright mark in its corner."""
    changed = image.copy()
    high, wide = max(1, image.shape[1] // 20), max(1, image.shape[2] // 20)
    for part in (np.s_[:, :high], np.s_[:, -high:], np.s_[:, :, :wide], np.s_[:, :, -wide:]):
        changed[part] = 0
    changed[:, high // 4 : high - high // 4, wide : 4 * wide] = 0.9
    return changed


def _jpeg(image: Pixels) -> Pixels:
    """Return the image as JPEG of quality 30 leaves it."""
    stored = np.round(image * 255).astype(np.uint8)
    picture, file = Image.fromarray(stored[0] if len(stored) == 1 else stored.transpose(1, 2, 0)), io.BytesIO()
    picture.save(file, "JPEG", quality=30)
    decoded = np.asarray(Image.open(file), np.float32) / 255
    return np.asarray(decoded[None] if decoded.ndim == 2 else decoded.transpose(2, 0, 1))


def _coarse(image: Pixels) -> Pixels:
    """Return the image at half of its resolution, and its own size."""
    half = zoom(image, (1, 0.5, 0.5), order=1)
    factors = np.array(image.shape) / half.shape
    return np.asarray(zoom(half, factors, order=1)[:, : image.shape[1], : image.shape[2]], np.float32)


def _noisy(image: Pixels) -> Pixels:
    """Return the image with noise of three hundredths of white."""
    return np.asarray(image + np.random.default_rng(0).normal(0, 0.03, image.shape), np.float32)


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "none": lambda image: image,
    "gamma 0.9": lambda image: image**0.9,
    "gamma 0.7": lambda image: image**0.7,
    "blur, .7 pixels": lambda image: gaussian_filter(image, (0, 0.7, 0.7)),
    "blur, 1.5 pixels": lambda image: gaussian_filter(image, (0, 1.5, 1.5)),
    "another frame": _frame,
    "half the resolution, same size": _coarse,
    "half the size": lambda image: zoom(image, (1, 0.5, 0.5), order=1),
    "JPEG quality 30": _jpeg,
    "noise, 3 %": _noisy,
}
"""By name, of images ``(C, H, W)`` in [0, 1]."""


@dataclass(frozen=True)
class Images:
    """Images of one machine: as the network gets them, with facts and pooled features of each."""

    tensors: torch.Tensor
    items: list[dict[str, Any]]
    features: npt.NDArray[np.float64]


@dataclass
class Result:
    """What came of the splits with one change."""

    checks: list[PoolCheck] = field(default_factory=list)
    disease: list[float] = field(default_factory=list)
    machine: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        """Return the cells of a row."""
        number = len(self.checks)
        warned = sum(bool(check.warning) for check in self.checks)
        real = sum(bool(check.real) for check in self.checks)
        found = [check.found for check in self.checks if check.found is not None]
        if not found:
            return f"{self.checks[0].reason} | | | | | | "
        name, _ = Counter(one.single[0].name for one in found).most_common(1)[0]
        largest, together = np.mean([[one.single[0].auroc, one.together.auroc] for one in found], axis=0)
        detector = " | ".join(f"{np.mean(values):.2f}" if values else "" for values in (self.disease, self.machine))
        return f"{warned} of {number} | {real} of {number} | {name} | {largest:.2f} | {together:.2f} | {detector}"


def read_images(folder: str, images: int, seed: int = 0) -> tuple[list[Pixels], npt.NDArray[np.int_], list[str]]:
    """Return pixels, labels and patients of a data set's training normals and test images, drawn at random."""
    items = [*load_datalist(folder, "training"), *load_datalist(folder, "test")]
    labels = np.array([item["label"] for item in items])
    random = np.random.default_rng(seed)
    chosen = np.sort(np.concatenate([random.permutation(np.flatnonzero(labels == y))[:images] for y in (0, 1)]))
    reader = Preprocessing(SIZE).reader
    reader.channels = None
    pixels = []
    for place in tqdm(chosen, desc="reading", unit="image", delay=2.0, leave=False):
        decoded, _ = reader.get_data(reader.read(items[place]["image"]))
        pixels.append(decoded)
    groups = [str(items[place].get("group", place)) for place in chosen]
    return pixels, labels[chosen], groups


def look(pixels: Sequence[Pixels], groups: Sequence[str], change: Callable[[Pixels], Pixels], net: Backbone) -> Images:
    """Return changed images as files of 8 bits would have them, and what a backbone sees in them."""
    prepare = Preprocessing(SIZE, intensity="none")
    tensors, items, features = [], [], []
    for image, group in zip(tqdm(pixels, desc="changing", unit="image", delay=2.0, leave=False), groups, strict=True):
        stored = np.round(np.clip(change(image), 0, 1) * 255).astype(np.uint8)
        item = prepare({"image": memory_source(stored, prepare.reader), "group": group})
        tensor = item.pop("image")
        tensors.append(tensor)
        items.append(item)
        with torch.inference_mode():
            stages = net(net.z_scored(tensor[None]))
        features.append(torch.cat([stage.mean((2, 3)) for stage in stages], 1)[0].double().numpy())
    return Images(torch.stack(tensors), items, np.stack(features))


@dataclass(frozen=True)
class Split:
    """Places of the images of each part."""

    training: npt.NDArray[np.int_]
    pool: npt.NDArray[np.int_]
    normal: npt.NDArray[np.int_]
    abnormal: npt.NDArray[np.int_]
    diseased: npt.NDArray[np.int_]
    """Abnormal images that the pool may have."""


def splits(labels: npt.NDArray[np.int_], groups: Sequence[str], number: int) -> Iterator[Split]:
    """Yield random splits by patient."""
    random = np.random.default_rng(0)
    owners = np.unique(groups, return_inverse=True)[1]
    for _ in range(number):
        third = random.permutation(owners.max() + 1) % 3
        part = third[owners]
        half = random.permutation(owners.max() + 1) % 2
        normal, abnormal = labels == 0, labels == 1
        yield Split(
            *(np.flatnonzero(normal & (part == i)) for i in range(3)),
            *(np.flatnonzero(abnormal & (half[owners] == i)) for i in range(2)),
        )


def measure(plain: Images, changed: Images, labels: Any, groups: Sequence[str], *, share: float, number: int) -> Result:
    """Check pools with a change and a share of abnormal images, train on them, and look at what was learned."""
    result = Result()
    for split in splits(labels, groups, number):
        diseased = split.diseased[: round(share / (1 - share) * len(split.pool))]
        pool = np.concatenate([split.pool[: len(diseased) or None] if share else split.pool, diseased])
        result.checks.append(
            check_pool_statistics(
                plain.tensors[split.training],
                [plain.items[i] for i in split.training],
                changed.tensors[pool],
                [changed.items[i] for i in pool],
            )
        )
        score = _contrast(plain.features[split.training], changed.features[pool])
        normal = score(plain.features[split.normal])
        result.disease.append(_auroc(normal, score(plain.features[split.abnormal])))
        if changed is not plain:
            result.machine.append(_auroc(normal, score(changed.features[split.normal])))
    return result


def _auroc(negative: npt.NDArray[np.float64], positive: npt.NDArray[np.float64]) -> float:
    labels = np.repeat([0, 1], [len(negative), len(positive)])
    return float(roc_auc_score(labels, np.r_[negative, positive]))


def _contrast(normals: npt.NDArray[np.float64], pool: npt.NDArray[np.float64]) -> Callable[[Any], Any]:
    """Return a function of features: how much more like the pool than like the normals they are."""
    mean, spread = normals.mean(0), normals.std(0) + 1e-6

    def standardized(features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.clip((features - mean) / spread, -CLIP, CLIP)

    model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000)
    model.fit(standardized(np.concatenate([normals, pool])), np.repeat([0, 1], [len(normals), len(pool)]))
    return lambda features: model.decision_function(standardized(features))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each data set and share."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.pool_shift",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", metavar="DIR", help="data sets, with training and test sections")
    parser.add_argument("--images", type=count, default=240, help="most images of each label (default: %(default)s)")
    parser.add_argument("--splits", type=count, default=10, help="of each change (default: %(default)s)")
    parser.add_argument("--plain", type=count, default=100, help="splits without a change (default: %(default)s)")
    parser.add_argument("--weights", help="of the backbone; by default those that the extra `pretrained` installs")
    parser.add_argument("--changes", nargs="+", choices=CHANGES, default=list(CHANGES), help="by default all")
    chosen = parser.parse_args(arguments)
    net = make_backbone(weights=chosen.weights, stages=STAGES)
    for folder in chosen.folders:
        pixels, labels, groups = read_images(folder, chosen.images)
        print(f"\n{folder}: {(labels == 0).sum()} normal and {(labels == 1).sum()} abnormal images\n")
        print(
            "| abnormal in the pool | change | warns | more than chance | largest | its AUC | all | disease | machine |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        plain = look(pixels, groups, CHANGES["none"], net)
        for name in chosen.changes:
            changed = plain if name == "none" else look(pixels, groups, CHANGES[name], net)
            for share in (0.0, 0.5):
                number = chosen.plain if changed is plain and not share else chosen.splits
                result = measure(plain, changed, labels, groups, share=share, number=number)
                print(f"| {100 * share:.0f} % | {name} | {result} |", flush=True)


if __name__ == "__main__":
    main()
