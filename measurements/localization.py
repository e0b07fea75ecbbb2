# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How well the maps of trained detectors point at lesions, beside maps that cost nothing.

``python -m measurements.localization DATASET_DIR bundles/embedding/models/model.pt`` takes the abnormal images of a
section that have a mask and prints a row for each map: the ROC AUC of an image's pixels, mean over images, and the
share of images whose highest value lies in the mask, each with the 95 % interval over patients. All maps are brought to
the size of the mask. Several files, such as those of three seeds, are averaged image by image; the range over them
follows in brackets.

Beside them stand the distance from the picture's center, and a U-Net that is trained from scratch on synthetic
anomalies in the training section, at 64 x 64 pixels.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from monai.networks.nets import UNet
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional as F

from measurements.command_line import run_measurement
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.section import Section
from monai_anomaly.metrics.bootstrap import mean_measure
from monai_anomaly.networks.nets.embedding.embedding import Embedding
from monai_anomaly.transforms.batch_augment import BatchAugment
from monai_anomaly.transforms.preprocessing import resize_image
from monai_anomaly.transforms.pseudo_anomaly import PseudoAnomaly

__all__ = ["Row", "main", "measure_localization"]

_UNET_SIZE = 64
_UNET_STEPS = 400
_BATCH_SIZE = 16

Floats = npt.NDArray[np.float64]


class Row(NamedTuple):
    """One kind of map, over M detectors and N images with a lesion."""

    name: str
    auc: Floats
    """ROC AUC of the pixels, ``(M, N)``."""
    hit: Floats
    """1 where the highest value lies in the mask, ``(M, N)``."""


class _Lesions(NamedTuple):
    images: Tensor
    """As the detector gets them, ``(N, C, S, S)``."""
    masks: list[npt.NDArray[np.bool_]]
    """Of the size that the file has."""
    groups: list[str]


def measure_localization(
    dataset_dir: str | os.PathLike[str],
    checkpoints: Sequence[str | os.PathLike[str]],
    *,
    section: str = "test",
    unets: int = 3,
) -> tuple[list[Row], list[str]]:
    """Compare the maps of trained detectors with the picture's center and a U-Net from scratch.

    Args:
        dataset_dir: the data set's folder, with masks; see :func:`~monai_anomaly.data.lists.datalist.load_datalist`.
        checkpoints: ``model.pt`` files that were trained alike.
        section: of the data set.
        unets: how many U-Nets to train, with seeds from 0; 0 for none.

    Returns:
        The rows, and the patient of each of their N images.

    Raises:
        CheckpointError: when a checkpoint is missing, damaged or of another architecture.
        DataListError: whatever is wrong with the folder, or a section without masks.
    """
    trained = [TrainedDetector.read(checkpoint) for checkpoint in checkpoints]
    lesions = _lesions(trained[0], dataset_dir, section)
    rows = [_row("center of the picture", [_center_maps(lesions)], lesions.masks)]
    if unets:
        normals = _images(trained[0], load_datalist(dataset_dir, Section.TRAINING.value, **_split(trained[0])))
        nets = [_train_unet(normals, seed) for seed in range(unets)]
        rows.append(
            _row("U-Net from scratch", [_maps(net, _unet_input(lesions.images)) for net in nets], lesions.masks)
        )
    for name, view in _views([each.detector for each in trained]).items():
        maps = [_maps(view(each.detector), lesions.images) for each in trained]
        rows.append(_row(name, maps, lesions.masks))
    return rows, lesions.groups


def _views(detectors: Sequence[nn.Module]) -> dict[str, Callable[[Any], Callable[[Tensor], Tensor]]]:
    """Return what maps these detectors have."""
    views: dict[str, Callable[[Any], Callable[[Tensor], Tensor]]] = {"map that is shown": lambda detector: detector}
    if all(isinstance(detector, Embedding) and detector.locator is not None for detector in detectors):
        views["map of the score"] = lambda detector: detector.score_map
    return views


def _split(trained: TrainedDetector) -> dict[str, Any]:
    data = trained.spec.get("data", {})
    known = {"split_seed": "seed", "split_shares": "split_shares", "abnormal_folders": "abnormal_folders"}
    return {name: data[key] for key, name in known.items() if key in data}


def _lesions(trained: TrainedDetector, dataset_dir: str | os.PathLike[str], section: str) -> _Lesions:
    """Return the images of a section in which a mask marks something."""
    steps = trained.preprocessing
    images, masks, groups = [], [], []
    for item in load_datalist(dataset_dir, section, **_split(trained)):
        if "mask" not in item:
            continue
        loaded = steps(item, end=1)
        mask = loaded.pop("mask")[0].numpy() > 0
        if mask.any() and not mask.all():
            images.append(steps(loaded, start=1)["image"])
            masks.append(mask)
            groups.append(str(item["group"]))
    if not images:
        raise DataListError(f"no image of the section '{section}' has a mask; name another section, or list masks.")
    return _Lesions(torch.stack(images), masks, groups)


def _images(trained: TrainedDetector, items: Sequence[dict[str, Any]]) -> Tensor:
    return torch.stack([trained.preprocessing({"image": item["image"]})["image"] for item in items])


# ---- maps ------------------------------------------------------------------------------------------------------------


def _maps(view: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return the maps ``(N, 1, S, S)`` of images ``(N, C, S, S)``."""
    with torch.no_grad():
        return torch.cat([view(part) for part in images.split(_BATCH_SIZE)])


def _center_maps(lesions: _Lesions) -> Tensor:
    place = torch.linspace(-1, 1, lesions.images.shape[-1])
    return -(place[:, None].square() + place.square()).expand(len(lesions.masks), 1, -1, -1)


def _row(name: str, detectors: Sequence[Tensor], masks: Sequence[npt.NDArray[np.bool_]]) -> Row:
    found = [[_compare(*pair) for pair in zip(maps, masks, strict=True)] for maps in detectors]
    auc, hit = np.moveaxis(np.array(found, dtype=np.float64), 2, 0)
    return Row(name, auc, hit)


def _compare(anomaly: Tensor, mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return pixel AUC, and whether the highest value lies in the mask, for a map ``(1, S, S)``."""
    resized = F.interpolate(anomaly[None], mask.shape, mode="bilinear", align_corners=False)[0, 0].numpy()
    highest = resized == resized.max()
    return float(roc_auc_score(mask.ravel(), resized.ravel())), float(mask[highest].mean())


# ---- a U-Net from scratch --------------------------------------------------------------------------------------------


def _unet_input(images: Tensor) -> Tensor:
    """Images at the U-Net's size, each with mean 0 and deviation 1."""
    small = torch.stack([resize_image(image, (_UNET_SIZE, _UNET_SIZE)) for image in images])
    std, mean = torch.std_mean(small, dim=(1, 2, 3), keepdim=True)
    return (small - mean) / std.clamp(min=1e-3)


def _train_unet(normals: Tensor, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    net = UNet(2, normals.shape[1], 1, channels=(16, 32, 64, 128), strides=(2, 2, 2), num_res_units=1, norm="batch")
    optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _UNET_STEPS)
    for image, mask in _corrupted(_unet_input(normals)):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(net(image), mask).backward()
        optimizer.step()
        schedule.step()
    return net.eval()


def _corrupted(normals: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    augment, corrupt = BatchAugment(), PseudoAnomaly()
    for _ in range(_UNET_STEPS):
        drawn = torch.randint(len(normals), (_BATCH_SIZE,))
        yield corrupt(augment(normals[drawn]))


# ---- the command -----------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row for each map and return the exit code, 1 for an error that its message explains."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.localization",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset_dir", metavar="DATASET_DIR", help="the folder of a data set with masks")
    parser.add_argument("checkpoints", metavar="MODEL_PT", nargs="+", help="checkpoints of detectors trained alike")
    parser.add_argument(
        "--section",
        choices=[section.value for section in Section],
        default="test",
        help="of the data set (default: %(default)s)",
    )
    parser.add_argument("--unets", type=int, default=3, help="U-Nets to train, 0 for none (default: %(default)s)")
    return run_measurement(_print_table, **vars(parser.parse_args(arguments)))


def _print_table(**options: Any) -> None:
    rows, groups = measure_localization(**options)
    codes = np.unique(np.array(groups), return_inverse=True)[1]
    print(f"{len(groups)} images with a mask, of {codes.max() + 1} patients")
    print()
    print("| map | pixel AUC of an image | highest value in the lesion |")
    print("|---|---|---|")
    for row in rows:
        print(f"| {row.name} | {_cell(row.auc, codes)} | {_cell(row.hit, codes)} |")


def _cell(values: Floats, codes: npt.NDArray[np.intp]) -> str:
    found = mean_measure(values.mean(axis=0), codes, seed=0, n_bootstrap=1000)
    low, high = found["interval"]
    each = values.mean(axis=1)
    several = f" [{each.min():.3f} to {each.max():.3f}]" if len(each) > 1 else ""
    return f"{found['value']:.3f} ({low:.3f} to {high:.3f}){several}"


if __name__ == "__main__":
    sys.exit(main())
