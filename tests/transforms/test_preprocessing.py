# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import CacheDataset
from monai.transforms import Compose
from PIL import Image
from skimage.transform import resize

from monai_anomaly.data.errors import ImageReadError, find_read_error
from monai_anomaly.transforms.intensity import NormalizeImage
from monai_anomaly.transforms.preprocessing import Preprocessing, resize_image, resize_mask
from monai_anomaly.transforms.sharpness import EqualizeSharpness, sharpness
from tests.helpers.dicom_files import make_dataset, save

PICTURE = np.random.default_rng(0).integers(0, 256, (64, 96), dtype=np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> str:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    return str(tmp_path / "a.png")


def test_result(path):
    item = Preprocessing(32, 3)({"image": path, "label": 1, "name": "a.png"})
    assert item["image"].shape == (3, 32, 32) and item["image"].dtype == torch.float32
    assert 0 <= item["image"].min() and item["image"].max() <= 1
    assert item["label"] == 1 and item["name"] == "a.png"
    assert Preprocessing(32, 3).image_shape == (3, 32, 32)


def test_is_a_compose_and_keeps_the_read_error(path, tmp_path):
    transform = Preprocessing(32)
    assert isinstance(transform, Compose) and len(transform) == 3
    expected = transform({"image": path})["image"]
    for other in (Compose([transform]), CacheDataset([{"image": path}], transform, progress=False)):
        got = other({"image": path}) if isinstance(other, Compose) else other[0]
        torch.testing.assert_close(got["image"], expected, rtol=0, atol=0)
    with pytest.raises(ImageReadError):
        transform({"image": str(tmp_path / "none.png")})
    with pytest.raises(RuntimeError) as caught:
        Compose([transform])({"image": str(tmp_path / "none.png")})
    failure = find_read_error(caught.value)
    assert failure is not None and failure.code == "not_found"


def test_png_and_dicom_give_one_tensor(path, tmp_path):
    dicom = save(tmp_path / "a.dcm", make_dataset(255 - PICTURE, "MONOCHROME1"))
    one, other = (Preprocessing(32)({"image": p})["image"] for p in (path, dicom))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_spec_rebuilds_it(path):
    arguments = {"image_size": 48, "channels": 3, "intensity": "zscore", "crop_region": False, "min_size": 8}
    first = Preprocessing(**arguments)
    assert arguments.items() <= first.spec.items()
    assert set(first.spec) | {"decode_limit"} == set(inspect.signature(Preprocessing).parameters)  # changes no pixel
    second = Preprocessing(**first.spec)
    torch.testing.assert_close(first({"image": path})["image"], second({"image": path})["image"], rtol=0, atol=0)


def test_resize_is_antialiased():
    stripes = torch.tensor([0.0, 1.0]).repeat(128)[None, None, :].expand(1, 64, 256)
    small = resize_image(stripes, (64, 64))
    assert (small - 0.5).abs()[..., 2:-2].max() < 0.02  # without a filter the stripes alias to 0 or 1
    smooth = torch.from_numpy(np.add.outer(np.sin(np.arange(256) / 30), np.cos(np.arange(256) / 40)))[None].float()
    expected = resize(smooth[0].numpy(), (64, 64), order=1, anti_aliasing=True)
    assert np.abs(resize_image(smooth, (64, 64))[0].numpy() - expected)[4:-4, 4:-4].max() < 0.01


def test_resize_keeps_constants_range_and_equal_sizes():
    image = torch.rand(3, 50, 70)
    assert resize_image(image, (50, 70)) is image
    torch.testing.assert_close(resize_image(torch.full((1, 50, 70), 0.3), (33, 17)), torch.full((1, 33, 17), 0.3))
    for size in ((16, 16), (128, 128)):
        resized = resize_image(image, size)
        assert resized.min() >= 0 and resized.max() <= 1


def test_mask_keeps_pixels_half_covered(path, tmp_path):
    mask = torch.zeros(1, 8, 8)
    mask[0, :2, :1] = 1  # half of the first 2 x 2 block
    mask[0, 4, 4] = 1  # a quarter of another
    assert resize_mask(mask, (4, 4)).nonzero().tolist() == [[0, 0, 0]]
    Image.fromarray((PICTURE > 100).astype(np.uint8) * 255).save(tmp_path / "m.png")
    item = Preprocessing(32)({"image": path, "mask": str(tmp_path / "m.png")})
    assert item["mask"].shape == (1, 32, 32) and set(item["mask"].unique().tolist()) == {0.0, 1.0}


def test_zscore():
    image = torch.rand(3, 20, 30)
    expected = (image.double() - image.double().mean()) / image.double().std(correction=0)
    torch.testing.assert_close(NormalizeImage("zscore")(image).double(), expected, rtol=1e-4, atol=1e-5)


def test_percentile():
    image = torch.rand(1, 40, 50) * 0.3 + 0.2
    low, high = np.percentile(image.numpy(), [1, 99])
    expected = np.clip((image.numpy() - low) / (high - low), 0, 1)
    np.testing.assert_allclose(NormalizeImage("percentile")(image).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("mode", ["zscore", "percentile"])
@pytest.mark.parametrize("value", [0.0, 0.37, 1.0])
def test_constant_image_becomes_zeros(mode, value):
    normalized = NormalizeImage(mode)(torch.full((1, 16, 16), value))
    torch.testing.assert_close(normalized, torch.zeros(1, 16, 16), rtol=0, atol=1e-3)


def test_nearly_constant_image_is_not_blown_up():
    image = 0.5 + 1e-6 * torch.randn(1, 32, 32)
    assert NormalizeImage("zscore")(image).abs().max() < 0.01


def test_percentile_of_mostly_black_stays_finite():
    image = torch.zeros(1, 32, 32)
    image[0, 0, 0] = 1
    normalized = NormalizeImage("percentile")(image)
    assert normalized[0, 0, 0] == 1 and normalized.sum() == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"channels": 2},
        {"image_size": 0},
        {"image_size": 6.5},
        {"min_size": 0},
        {"intensity": "minmax"},
        {"sharpness": 0},
    ],
)
def test_arguments_are_checked(arguments):
    with pytest.raises(ValueError, match="must be"):
        Preprocessing(**arguments)


def test_sharpness_is_equal_at_the_working_size(path):
    plain = Preprocessing(32)({"image": path})["image"]
    expected = resize_image(torch.from_numpy(PICTURE).float()[None] / 255, (32, 32))
    torch.testing.assert_close(plain, expected, rtol=0, atol=1e-6)
    assert torch.equal(Preprocessing(32, sharpness=None)({"image": path})["image"], plain)
    blurred = Preprocessing(32, sharpness=0.3)({"image": path})["image"]
    assert float(sharpness(blurred[None])) == pytest.approx(0.3, rel=0.002)
    assert torch.equal(blurred, EqualizeSharpness(0.3)(plain))
    normalized = Preprocessing(32, intensity="zscore", sharpness=0.3)({"image": path})["image"]
    assert torch.equal(normalized, NormalizeImage("zscore")(blurred))


def test_sharpness_is_part_of_the_spec(path):
    first = Preprocessing(32, sharpness=0.3)
    second = Preprocessing(**json.loads(json.dumps(first.spec)))
    assert torch.equal(second({"image": path})["image"], first({"image": path})["image"])
    old = {name: value for name, value in Preprocessing(32).spec.items() if name != "sharpness"}
    assert Preprocessing(**old).spec == {**old, "sharpness": None}


def test_sharpness_leaves_the_mask(path, tmp_path):
    Image.fromarray((PICTURE > 100).astype(np.uint8) * 255).save(tmp_path / "m.png")
    item = {"image": path, "mask": str(tmp_path / "m.png")}
    assert torch.equal(Preprocessing(32, sharpness=0.1)(item)["mask"], Preprocessing(32)(item)["mask"])


def test_list_of_items(path):
    assert [item["label"] for item in Preprocessing(16)([{"image": path, "label": n} for n in range(2)])] == [0, 1]


@pytest.mark.parametrize("intensity", ["none", "zscore", "percentile"])
@pytest.mark.parametrize("blur", [None, 0.3])
def test_gray_becomes_rgb_after_resizing_as_if_it_were_before(path, tmp_path, intensity, blur):
    Image.fromarray(PICTURE).convert("RGB").save(tmp_path / "c.png")
    transform = Preprocessing(32, 3, intensity=intensity, sharpness=blur)
    gray, color = (transform({"image": str(name)})["image"] for name in (path, tmp_path / "c.png"))
    assert torch.equal(gray, color) and gray.is_contiguous()
