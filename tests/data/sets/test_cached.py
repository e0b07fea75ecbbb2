# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import DataLoader
from PIL import Image

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.picture_facts import PICTURE_FACTS, PICTURE_ORIGIN, PICTURE_PLACE
from monai_anomaly.data.sets.cache import decoding
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.transforms.preprocessing import Preprocessing

COUNT = 7


@pytest.fixture
def items(tmp_path: Path) -> list[dict]:
    pictures = np.random.default_rng(0).integers(0, 256, (COUNT, 40, 40), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    return [{"image": str(tmp_path / f"{n}.png"), "name": f"{n}.png", "label": n % 2, "index": n} for n in range(COUNT)]


@pytest.mark.parametrize("workers", [0, 3])
def test_same_as_the_transform_in_order(items, workers):
    transform = Preprocessing(16)
    dataset = CachedDataset(items, transform, progress=False, num_workers=workers)
    assert len(dataset) == COUNT and dataset.images.dtype == torch.float32
    for number, item in enumerate(items):
        expected = transform(item)
        got = dataset[number]
        torch.testing.assert_close(got.pop("image"), expected.pop("image"), rtol=0, atol=0)
        assert got == {k: v for k, v in expected.items() if k not in {**PICTURE_PLACE, **PICTURE_ORIGIN}} | {
            "row": number
        }


def test_origins_are_of_the_file_and_not_of_the_patient(items):
    dataset = CachedDataset(items, Preprocessing(16), progress=False)
    origin = {"device_hash": "", "file_format": "PNG", "photometric": "L", "modality": "", "year": 0}
    assert len(dataset.origins) == COUNT and {**dataset.origins[0], "photometric": "L"} == origin


def test_row_is_the_place_in_the_tensor_also_where_files_share_an_index_or_are_left_out(items):
    frames = [items[i] | {"frame": frame} for i, frame in ((0, 0), (0, 1), (1, 0), (2, 0))]

    def transform(item):
        if item["name"] == "1.png":
            raise ImageReadError("damaged", "1.png")
        return {**item, "image": torch.full((1, 2, 2), float(10 * item["index"] + item["frame"]))}

    dataset = CachedDataset(frames, transform, progress=False, on_bad="quarantine", max_bad_share=0.5)
    batch = next(iter(DataLoader(dataset, batch_size=3)))
    assert batch["index"].tolist() == [0, 0, 2]
    torch.testing.assert_close(dataset.images[batch["row"]], batch["image"], rtol=0, atol=0)
    assert batch["image"][:, 0, 0, 0].tolist() == [0.0, 1.0, 20.0]


def test_memory_of_decoded_pictures_goes_back_every_few_images_and_at_the_end(items, monkeypatch):
    calls = []
    monkeypatch.setattr(decoding, "GIVE_BACK", 2)
    monkeypatch.setattr(decoding, "give_back_freed_memory", lambda: calls.append(True))
    CachedDataset(items[:3], Preprocessing(16), progress=False)
    assert len(calls) == 2


def test_normals_are_the_images_labeled_so(items):
    labels = [0, 1, None, 0, 1, 0, 2]
    items = [
        {k: v for k, v in {**item, "label": label}.items() if v is not None}
        for item, label in zip(items, labels, strict=True)
    ]
    dataset = CachedDataset(items, Preprocessing(16), progress=False)
    torch.testing.assert_close(dataset.normals[:], dataset.images[[0, 3, 5]], rtol=0, atol=0)
    dataset.normals[:].zero_()
    assert dataset.images[0].any()


def test_without_a_normal_there_are_none_of_the_images_shape(items):
    dataset = CachedDataset([{**item, "label": 1} for item in items], Preprocessing(16), progress=False)
    assert dataset.normals.shape == (0, 1, 16, 16)


def test_each_file_is_decoded_once(items):
    calls: list[int] = []

    def transform(item):
        calls.append(item["index"])
        return {**item, "image": torch.full((1, 2, 2), float(item["index"]))}

    dataset = CachedDataset(items, transform, progress=False)
    for _ in range(3):
        assert len(list(DataLoader(dataset, batch_size=4))) == 2
    assert calls == list(range(COUNT))


def test_batches_equal_items_and_are_copies(items):
    dataset = CachedDataset(items, Preprocessing(16), progress=False)
    before = dataset.images[:]
    batch = dataset.__getitems__([4, 0, 4])
    assert [b["index"] for b in batch] == [4, 0, 4]
    for b in batch:
        torch.testing.assert_close(b["image"], dataset[b["index"]]["image"], rtol=0, atol=0)
        b["image"].zero_()
    dataset[1]["image"].zero_()
    torch.testing.assert_close(dataset.images[:], before, rtol=0, atol=0)


def test_loader_yields_every_item(items):
    batches = list(DataLoader(CachedDataset(items, Preprocessing(16), progress=False), batch_size=3, shuffle=True))
    assert sorted(torch.cat([b["index"] for b in batches]).tolist()) == list(range(COUNT))
    assert set(batches[0]) == {"image", "name", "label", "index", "row", "frame", "warnings", *PICTURE_FACTS}


def test_masks_and_paths_are_left_out(items):
    dataset = CachedDataset([{**item, "mask": "nowhere.png"} for item in items], Preprocessing(16), progress=False)
    assert "mask" not in dataset[0] and not any("/" in str(value) for value in dataset.items[0].values())


@pytest.mark.parametrize("workers", [0, 2])
def test_bad_file_is_named_by_its_list_name(items, workers, tmp_path):
    (tmp_path / "3.png").write_bytes(b"")
    with pytest.raises(ImageReadError, match=r"entry 3 \(3\.png\): the file is empty") as caught:
        CachedDataset(items, Preprocessing(16), progress=False, num_workers=workers)
    assert caught.value.code == "not_dicom" and str(tmp_path) not in str(caught.value)


def test_memory_is_bounded(items):
    with pytest.raises(ValueError, match="use cache=disk, raise cache_gib"):
        CachedDataset(items, Preprocessing(16), progress=False, cache_gib=(COUNT * 16 * 16 * 4 - 1) / 2**30)
    assert len(CachedDataset(items, Preprocessing(16), progress=False, cache_gib=COUNT * 16 * 16 * 4 / 2**30)) == COUNT


def test_shapes_must_agree(items):
    with pytest.raises(ValueError, match=r"one shape.*entry 1 \(1\.png\)"):
        CachedDataset(items, lambda item: {**item, "image": torch.zeros(1, 2, 2 + item["index"])}, progress=False)


def test_empty_list():
    with pytest.raises(ValueError, match="must not be empty"):
        CachedDataset([], Preprocessing(16))


def test_bar_shows_only_when_it_takes_long(items, capsys, monkeypatch):
    CachedDataset(items, Preprocessing(16))
    assert capsys.readouterr().err.strip() == ""
    monkeypatch.setattr("monai_anomaly.data.sets.cache.decoding.SECONDS_BEFORE_BAR", 0.0)
    CachedDataset(items, Preprocessing(16))
    assert "Decoding images" in capsys.readouterr().err
