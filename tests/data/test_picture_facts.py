# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from monai.data import DataLoader, decollate_batch
from PIL import Image

from monai_anomaly.data.picture_facts import PICTURE_FACTS, picture_facts
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.data.sets.records import RecordDataset
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.dicom_files import make_dataset, make_region, save


def test_colored_is_the_share_of_pixels_whose_channels_differ():
    pixels = np.full((3, 10, 20), 0.5, np.float32)
    pixels[0, :5, :4] = 0.61
    pixels[1, 5:, :4] = 0.59
    assert (picture_facts(pixels)["colored"], picture_facts(pixels[:1])["colored"]) == (0.1, 0.0)
    assert (picture_facts(pixels)["rows"], picture_facts(pixels)["columns"]) == (10, 20)


def test_gray_values_are_those_of_numpy():
    pixels = np.random.default_rng(0).random((3, 20, 30), np.float32)
    pixels[:, :, :3] = 0
    pixels[0, 0, 0] = 0.5
    facts = picture_facts(pixels)
    assert facts["gray_mean"] == pytest.approx(pixels.mean(), abs=1e-6)
    assert facts["gray_std"] == pytest.approx(pixels.std(), abs=1e-6)
    assert facts["gray_zero"] == 59 / 600
    assert facts["gray_step"] == pytest.approx(np.abs(pixels[..., 1:] - pixels[..., :-1]).mean(), abs=1e-6)
    assert picture_facts(pixels[..., :1])["gray_step"] == 0


@pytest.mark.parametrize("shape", [(1, 256, 256), (3, 60, 90), (1, 1, 1), (3, 1, 9), (1, 9, 1), (3, 700, 1100)])
def test_facts_of_eight_bits_are_those_of_their_real_numbers(shape, monkeypatch):
    random = np.random.default_rng(0)
    values = random.integers(0, 256, shape, np.uint8) * random.integers(0, 2, shape[1:], np.uint8)
    for picture in (values, values[:, ::-1]):  # as a picture that was turned is a view
        real = picture_facts(picture.astype(np.float32) / np.float32(255))
        facts = picture_facts(picture)
        assert list(facts) == list(real)
        assert facts == real
        with monkeypatch.context() as other:
            other.setattr("monai_anomaly.data.picture_facts.whole_numbers", lambda values: values)
            real = picture_facts(picture.astype(np.float32) / np.float32(255))
        assert facts == pytest.approx(real, rel=1e-6, abs=1e-9)
        exact = ("rows", "columns", "colored", "gray_zero")
        assert [facts[name] for name in exact] == [real[name] for name in exact]
    assert picture_facts(np.array([[[25, 26]], [[0, 0]], [[0, 0]]], np.uint8))["colored"] == 0.5  # more than 0.1


@pytest.mark.parametrize("shape", [(1500, 40), (513, 513), (3, 2000)])
def test_large_pictures_are_sampled_evenly(shape):
    pixels = np.zeros((3, *shape), np.float32)
    pixels[2, : shape[0] // 2] = 1
    assert picture_facts(pixels)["colored"] == pytest.approx(shape[0] // 2 / shape[0], abs=0.01)


def test_facts_are_of_the_crop_and_before_resizing_and_gray(tmp_path: Path):
    picture = np.random.default_rng(0).integers(0, 256, (40, 56), dtype=np.uint8)
    path = save(tmp_path / "a.dcm", make_dataset(picture, SequenceOfUltrasoundRegions=[make_region((12, 5, 49, 34))]))
    item = Preprocessing(16, min_size=8)({"image": path})
    assert (item["rows"], item["columns"], item["colored"]) == (30, 38, 0.0)
    colors = np.zeros((40, 50, 3), np.uint8)
    colors[:, :10, 0] = 200
    Image.fromarray(colors).save(tmp_path / "c.png")
    item = Preprocessing(16)({"image": str(tmp_path / "c.png")})
    assert item["image"].shape == (1, 16, 16)
    assert set(item) >= set(PICTURE_FACTS)
    assert (item["rows"], item["columns"], item["colored"]) == (40, 50, 0.2)


def test_facts_survive_data_sets_and_collation(tmp_path: Path):
    for number in range(3):
        Image.fromarray(np.full((40, 50 + number), 9 * number, np.uint8)).save(tmp_path / f"{number}.png")
    items = [{"image": str(tmp_path / f"{n}.png"), "name": "", "index": n} for n in range(3)]
    cached = CachedDataset(items, Preprocessing(16), progress=False)
    assert [item["columns"] for item in cached.items] == [50, 51, 52]
    (tmp_path / "0.png").write_bytes(b"")
    records = RecordDataset(items, Preprocessing(16), (1, 16, 16))
    (batch,) = DataLoader(records, batch_size=3)
    assert [float(item["columns"]) for item in decollate_batch(batch)] == [0, 51, 52]
    assert [float(item["colored"]) for item in decollate_batch(batch)] == [0, 0, 0]
