# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Cells of a bundle that is solved on features: they are computed once for all pools and splits of a data set."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from fire.parser import DefaultParseValue
from monai.bundle import ConfigParser

from monai_anomaly.apps.benchmark.cell import Cell
from monai_anomaly.apps.benchmark.kept_cells import Runner
from monai_anomaly.apps.benchmark.run_cell import finish_row
from monai_anomaly.apps.benchmark.studies import Studies
from monai_anomaly.apps.benchmark.variants import Variant
from monai_anomaly.apps.pool_curve.pool_cell import PoolCell
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.frame_items import expand_frames
from monai_anomaly.data.lists.pool import load_pool
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.networks.nets.embedding.embedding import Embedding
from monai_anomaly.networks.nets.features.backbone import load_backbone_weights
from monai_anomaly.utils.stopwatch import Stopwatch

__all__ = ["SolvedRunner", "is_solved"]

_OBJECTIVE = "monai_anomaly.engines.objectives.embedding.EmbeddingObjective"
_BATCH = 16

Items = Sequence[Mapping[str, Any]]


def is_solved(variant: Variant) -> bool:
    """Return whether a bundle's training is nothing but features of its images and a solution."""
    train = variant.config("train").get("train", {})
    return train.get("optimizers") == {} and train.get("objective", {}).get("_target_") == _OBJECTIVE


@dataclass
class _Bank:
    """The features of all images of a data set.

    Args:
        detector: that they are of, not trained.
        features: ``(N, D)``, one row a frame.
        items: what is known of each frame.
    """

    detector: Embedding
    features: torch.Tensor
    items: list[dict[str, Any]]

    def __post_init__(self) -> None:
        self._rows: dict[str, list[int]] = {}
        for row, item in enumerate(self.items):
            self._rows.setdefault(str(item["name"]), []).append(row)

    def of(self, listed: Items) -> tuple[torch.Tensor, list[dict[str, Any]]]:
        """Return the features and items of the listed images that could be read, with labels of that list."""
        pairs = [(row, item) for item in listed for row in self._rows.get(str(item["name"]), ())]
        items = [self.items[row] | {"label": item["label"], "index": item["index"]} for row, item in pairs]
        return self.features[[row for row, _ in pairs]], items


class SolvedRunner:
    """Runs cells as the bundle's training and evaluation would, on features that are computed once; others elsewhere.

    Args:
        others: runs the cells of bundles that are not solved.
    """

    def __init__(self, others: Runner) -> None:
        self._others = others
        self._banks: dict[tuple[str, str], _Bank] = {}

    def __call__(self, cell: Cell, folder: Path) -> dict[str, Any]:
        """Run a cell; see :func:`monai_anomaly.apps.benchmark.run_cell.run_cell`."""
        assert isinstance(cell, PoolCell) and cell.variant is not None
        if not is_solved(cell.variant):
            return self._others(cell, folder)
        bank = self._banks.get((cell.data.name, cell.method))
        if bank is None:
            bank = self._banks[cell.data.name, cell.method] = _read(cell.variant, cell.data.folder, folder)
        watch = Stopwatch()
        draw = cell.draw
        pool = load_pool(cell.data.folder, size=draw.size, anomaly_ratio=draw.share) if draw.used else []
        detector = _solve(cell, bank, pool, folder)
        tested = load_datalist(cell.data.folder, "test")
        features, items = bank.of(tested)
        scored = detector.joined(detector.standardize(detector.raw_scores(features)))
        studies, took = Studies(items), watch.read()
        row = {
            "scores": studies.scores(scored.double().numpy()),
            "n_rejected": len(tested) - len(studies.names),
            "seconds": took.wall,
            "cpu_seconds": took.cpu,
        }
        known: dict[str, Any] = {"names": studies.names, "labels": studies.labels, "groups": studies.groups}
        return known | {"left_out": "", "rows": [finish_row(cell.empty_row() | row, known)]}


def _parser(variant: Variant, dataset_dir: Path, folder: Path) -> ConfigParser:
    """Return the training's configuration as the command line would make it, on the CPU."""
    parser = ConfigParser(variant.config("train"))
    common = {"bundle_root": variant.bundle, "dataset_dir": dataset_dir, "output_dir": folder, "device": "cpu"}
    parser.update({key: str(value) for key, value in common.items()})
    parser.update({key: DefaultParseValue(value) for key, value in variant.overrides})
    return parser


@torch.inference_mode()
def _read(variant: Variant, dataset_dir: Path, folder: Path) -> _Bank:
    """Compute the features of a data set: of the training section, and of the pool and the test section of a split."""
    parser = _parser(variant, dataset_dir, folder)
    detector: Embedding = parser.get_parsed_content("network").eval()
    load_backbone_weights(detector.backbone, parser.get_parsed_content("backbone_weights"))
    preprocessing, rule = parser.get_parsed_content("train#preprocessing"), parser.get_parsed_content("frames")
    listed = [item for name in ("training", "unlabeled", "test") for item in load_datalist(dataset_dir, name)]
    numbered = [{**item, "index": index} for index, item in enumerate(listed)]
    frames = expand_frames(numbered, rule, preprocessing.count_frames)
    dataset = CachedDataset(frames, preprocessing, on_bad="quarantine")
    features = torch.cat([detector.features(batch).float() for batch in dataset.images.split(_BATCH)])
    return _Bank(detector, features, dataset.items)


def _solve(cell: PoolCell, bank: _Bank, pool: Items, folder: Path) -> Embedding:
    """Return a detector that takes features in the place of images, trained as the bundle says."""
    assert cell.variant is not None
    normals, training = bank.of(load_datalist(cell.data.folder, "training"))
    unlabeled, pooled = bank.of(pool)
    detector = copy.deepcopy(bank.detector)
    setattr(detector, "features", lambda features: features)  # noqa: B010  a method to mypy
    parser = _parser(cell.variant, cell.data.folder, folder)
    parser["seed"] = cell.seed
    parser["network"] = detector
    parser["train"]["dataset"] = SimpleNamespace(groups=[item["group"] for item in training])
    parser["pool"]["datalist"] = [item["name"] for item in pool]
    parser["pool"]["dataset"] = SimpleNamespace(groups=[item["group"] for item in pooled])
    objective = parser.get_parsed_content("train#objective")
    features = torch.cat([normals, unlabeled])
    with torch.no_grad():
        objective.collect({"image": features, "row": torch.arange(len(features))})
        objective.solve()
    return objective.detector.eval()
