# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""A real evaluator over a detector with a known map, for the tests of reports and writers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator

from monai_anomaly.data.sets.records import RecordDataset
from monai_anomaly.transforms.score import ScoreFromMapd

CPU = torch.device("cpu")


class StubDetector(torch.nn.Module):
    """Its map is twice the mean over the channels, its reconstruction a darker image."""

    def __init__(self, *, reconstructs: bool = True) -> None:
        super().__init__()
        self.n_forward = 0
        if reconstructs:
            self.reconstruct = lambda image: image / 2

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.n_forward += 1
        if bool((image > 100).any()):
            raise RuntimeError("value too large\nsecond line")
        return 2 * image.mean(dim=1, keepdim=True)


def make_items(values: Sequence[float], labels: Sequence[int] | None = None, **more: Any) -> list[dict[str, Any]]:
    """One 8 x 6 image per value; constant but for one corner, so that a turned picture shows."""
    items = []
    for index, value in enumerate(values):
        image = torch.full((1, 8, 6), float(value))
        image[0, 0, 5] = 0.0
        item = {"image": image, "name": f"test/case_{index}.dcm", "group": f"p{index // 2}", "index": index}
        items.append(item | ({"label": labels[index]} if labels is not None else {}) | more)
    return items


def make_evaluator(items: Any, handlers: Sequence[Any], network: torch.nn.Module | None = None, **more: Any):
    """A stock SupervisedEvaluator with the postprocessing of the bundles."""
    data = items if isinstance(items, RecordDataset) else Dataset(items)
    return SupervisedEvaluator(
        device=CPU,
        val_data_loader=DataLoader(data, batch_size=3, num_workers=0),
        network=network or StubDetector(),
        postprocessing=ScoreFromMapd(),
        val_handlers=list(handlers),
        **more,
    )
