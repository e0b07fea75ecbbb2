# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import DataLoader
from monai.transforms import Compose
from PIL import Image

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.sets.records import RecordDataset
from monai_anomaly.transforms.preprocessing import Preprocessing

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 56), dtype=np.uint8)
SHAPE = (1, 16, 16)


def make_items(root: Path) -> list[dict]:
    """One good file, one damaged, one missing, one too small."""
    Image.fromarray(PICTURE).save(root / "good.png")
    (root / "bad.png").write_bytes((root / "good.png").read_bytes()[:200])
    Image.fromarray(PICTURE[:8]).save(root / "small.png")
    names = ["good.png", "bad.png", "none.png", "small.png"]
    return [{"image": str(root / n), "name": n, "label": -1, "index": i} for i, n in enumerate(names)]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("wrap", [False, True])
def test_one_record_per_file(tmp_path: Path, workers: int, wrap: bool):
    transform = Compose([Preprocessing(16)]) if wrap else Preprocessing(16)
    dataset = RecordDataset(make_items(tmp_path), transform, SHAPE)
    batches = list(DataLoader(dataset, batch_size=3, num_workers=workers))
    assert [len(batch["image"]) for batch in batches] == [3, 1]
    assert [code for batch in batches for code in batch["code"]] == ["", "truncated", "not_found", "too_small"]
    assert [s for batch in batches for s in batch["status"]] == ["ok", "rejected", "rejected", "rejected"]
    assert batches[0]["image"][0].max() > 0 and batches[0]["image"][1:].abs().max() == 0
    reasons = [reason for batch in batches for reason in batch["reason"]]
    assert reasons[0] == "" and all(reasons[1:]) and str(tmp_path) not in str(reasons)


def test_rejected_masks_keep_their_shape(tmp_path: Path):
    item = {"image": str(tmp_path / "none.png"), "mask": "", "label": 0, "index": 0}
    record = RecordDataset([item], Preprocessing(16), SHAPE)[0]
    assert record["mask"].shape == SHAPE and record["status"] == "rejected"


def test_other_errors_are_not_swallowed(tmp_path: Path):
    def transform(_):
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        RecordDataset([{"image": "a"}], transform, SHAPE)[0]


def test_rejection_by_any_transform():
    def transform(_):
        raise ImageReadError("mine", "why.")

    record = RecordDataset([{"image": "a"}], transform, SHAPE)[0]
    assert (record["code"], record["reason"], tuple(record["image"].shape)) == ("mine", "why.", SHAPE)


def test_image_shape_is_checked():
    with pytest.raises(ValueError, match="image_shape must be"):
        RecordDataset([], lambda item: item, (16, 16))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_exception_that_ends_loops_is_one_rejected_record(workers: int):
    dataset = RecordDataset([{"image": "a", "index": i} for i in range(5)], _stop_at_two, SHAPE)
    codes = [code for batch in DataLoader(dataset, batch_size=1, num_workers=workers) for code in batch["code"]]
    assert codes == ["", "", "decode_failed", "", ""]


def _stop_at_two(item):
    if item["index"] == 2:
        raise StopIteration
    return {**item, "image": torch.zeros(SHAPE)}
