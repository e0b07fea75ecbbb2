# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import Compose

from monai_anomaly.transforms.cut_paste import RandCutPaste, RandCutPasteD, RandCutPasted, RandCutPasteDict
from monai_anomaly.transforms.foreign_patch import (
    RandForeignPatch,
    RandForeignPatchD,
    RandForeignPatchd,
    RandForeignPatchDict,
)
from monai_anomaly.transforms.patch_draw import (
    PatchDraw,
    RandPatch,
    RandPatchd,
    check_range,
    draw_donors,
    pick,
    sides,
)
from monai_anomaly.transforms.poisson_blend import (
    RandPoissonBlend,
    RandPoissonBlendD,
    RandPoissonBlendd,
    RandPoissonBlendDict,
)

KINDS: list[tuple[Any, Any]] = [
    (RandForeignPatch, RandForeignPatchd),
    (RandCutPaste, RandCutPasted),
    (RandPoissonBlend, RandPoissonBlendd),
]
each_kind = pytest.mark.parametrize(("array", "dictionary"), KINDS, ids=["foreign", "cut_paste", "poisson"])


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed))


def rectangles(top: list[int], left: list[int], height: list[int], width: list[int]) -> PatchDraw:
    sides = (torch.tensor(value) for value in (top, left, height, width))
    return PatchDraw(torch.ones(len(top), dtype=torch.bool), *sides)


def test_inside_is_the_rectangle() -> None:
    draw = rectangles([0, 3, 5], [2, 0, 9], [4, 7, 1], [3, 12, 2])
    draw.present[0] = False
    expected = np.zeros((3, 1, 10, 12), dtype=bool)
    expected[1, 0, 3:10, 0:12] = True
    expected[2, 0, 5:6, 9:11] = True
    assert np.array_equal(draw.inside((10, 12)).numpy(), expected)


def test_pick_takes_each_image_s_own_pixels() -> None:
    image = images(2, 3, 5, 6)
    rows, columns = torch.tensor([[4, 0], [1, 1]]), torch.tensor([[5, 0, 2], [3, 3, 4]])
    result = pick(image, rows[:, :, None], columns[:, None, :])
    for i in range(2):
        expected = image[i].numpy()[:, rows[i].numpy()][:, :, columns[i].numpy()]
        assert np.array_equal(result[i].numpy(), expected)


def test_donors_are_all_the_others() -> None:
    donors = torch.stack([draw_donors(4, seeded(seed)) for seed in range(400)])
    for i in range(4):
        counts = torch.bincount(donors[:, i], minlength=4)
        assert counts[i] == 0
        assert sorted(counts.tolist())[1] > 90  # about 133 for each other one


@pytest.mark.parametrize("shape", [(8, 8), (0, 1, 8, 8), (2, 0, 8, 8), (2, 1, 7, 8), (2, 1, 8, 7), (2, 1, 8, 8, 8)])
def test_wrong_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="sides of at least 8"):
        sides(shape)


@pytest.mark.parametrize("value", [(0.1,), (0.1, 0.2, 0.3), (0.3, 0.2), (-0.1, 0.2), (0.1, 1.1), (float("nan"), 0.2)])
def test_wrong_ranges(value: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"size must be two numbers, 0 <= smallest <= largest <= 1"):
        check_range("size", value, 0.0, 1.0)


@pytest.mark.parametrize(
    ("draw", "margin", "message"),
    [
        (rectangles([0, 0, 0], [0, 0, 0], [2, 2, 2], [2, 2, 2]), 0, "for 3 images, the batch has 2"),
        (rectangles([0, 7], [0, 0], [2, 2], [2, 2]), 0, "leaves the image of 8 x 9"),
        (rectangles([0, 0], [0, 8], [2, 2], [2, 2]), 0, "leaves the image of 8 x 9"),
        (rectangles([0, 0], [0, -1], [2, 2], [2, 2]), 0, "leaves the image of 8 x 9"),
        (rectangles([1, 0], [1, 1], [2, 2], [2, 2]), 1, "margin of 1"),
        (rectangles([1, 6], [1, 1], [2, 2], [2, 2]), 1, "margin of 1"),
    ],
)
def test_draw_for_another_batch(draw: PatchDraw, margin: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw.check(images(2, 1, 8, 9), margin)


def test_rectangles_may_fill_the_image() -> None:
    rectangles([0, 0], [0, 0], [8, 8], [9, 9]).check(images(2, 1, 8, 9))
    rectangles([1, 1], [1, 1], [6, 6], [7, 7]).check(images(2, 1, 8, 9), 1)


def test_each_name_has_its_aliases() -> None:
    assert RandForeignPatchd is RandForeignPatchD is RandForeignPatchDict
    assert RandCutPasted is RandCutPasteD is RandCutPasteDict
    assert RandPoissonBlendd is RandPoissonBlendD is RandPoissonBlendDict


@each_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_only_the_patch_changes(array: Any, dictionary: Any, dtype: torch.dtype) -> None:
    image = images(6, 3, 24, 40).to(dtype)
    before = image.clone()
    result, mask = array()(image, seeded(1))
    assert result.shape == image.shape and result.dtype == dtype and mask.dtype == dtype
    assert mask.shape == (6, 1, 24, 40) and set(mask.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(image, before)
    outside = (mask == 0).expand_as(image)
    assert torch.equal(result[outside], image[outside])
    changed = (result != image).any(dim=1, keepdim=True).flatten(1).sum(1)
    assert (changed > 0.7 * mask.flatten(1).sum(1)).all()


@each_kind
def test_seeds(array: Any, dictionary: Any) -> None:
    image, transform = images(5, 1, 32, 32), array()
    first, again, other = (transform(image, seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])
    torch.manual_seed(3)
    assert torch.equal(transform(image)[0], first[0])
    assert not torch.equal(transform(image)[0], first[0])  # the global source moves on


@each_kind
def test_a_saved_draw_is_replayed(array: Any, dictionary: Any) -> None:
    image, transform = images(5, 2, 32, 24), array()
    draw = transform.draw(image.shape, seeded(5))
    first = transform.patch.apply(image, draw)
    file = io.BytesIO()
    torch.save(vars(draw), file)
    file.seek(0)
    again = type(draw)(**torch.load(file, weights_only=True))
    for result in (transform.patch.apply(image, draw), transform.patch.apply(image, again)):
        assert torch.equal(result[0], first[0]) and torch.equal(result[1], first[1])
    assert torch.equal(transform(image, seeded(5))[0], first[0])
    assert all(value.shape == (5,) and value.device.type == "cpu" for value in vars(draw).values())


@each_kind
def test_an_image_does_not_depend_on_the_size_of_other_patches(array: Any, dictionary: Any) -> None:
    """One pass for the batch gives what a pass for each image gives."""
    image, transform = images(6, 1, 32, 32), array()
    draw = transform.draw(image.shape, seeded(6))
    whole, mask = transform.patch.apply(image, draw)
    for i in range(6):
        only = type(draw)(**{name: value.clone() for name, value in vars(draw).items()})
        for value in (only.height, only.width):  # all others are single pixels
            value[torch.arange(6) != i] = 1
        single, single_mask = transform.patch.apply(image, only)
        assert torch.equal(single_mask[i], mask[i])
        torch.testing.assert_close(single[i], whole[i], rtol=0, atol=1e-5)


@each_kind
def test_share_of_images_with_a_patch(array: Any, dictionary: Any) -> None:
    present = array(p=0.25).draw((4000, 1, 8, 8), seeded(1)).present
    assert present.float().mean() == pytest.approx(0.25, abs=0.03)
    image = images(5, 1, 16, 16)
    result, mask = array(p=0.0)(image, seeded(1))
    assert torch.equal(result, image) and mask.max() == 0.0
    assert array(p=1.0)(image, seeded(1))[1].amax(dim=(1, 2, 3)).eq(1.0).all()
    with pytest.raises(ValueError, match="p must lie"):
        array(p=1.5)


@each_kind
def test_smallest_images_and_many_shapes(array: Any, dictionary: Any) -> None:
    for shape in [(2, 1, 8, 8), (3, 1, 8, 50), (2, 3, 31, 9)]:
        for seed in range(20):
            result, mask = array()(images(*shape), seeded(seed))
            assert torch.isfinite(result).all() and mask.amax(dim=(1, 2, 3)).eq(1.0).all()


@each_kind
def test_wrong_images(array: Any, dictionary: Any) -> None:
    with pytest.raises(ValueError, match="image must be a batch"):
        array()(images(4, 16, 16))
    with pytest.raises(ValueError, match="floating point"):
        array()(torch.zeros(2, 1, 16, 16, dtype=torch.uint8))


@pytest.mark.parametrize("array", [RandForeignPatch, RandPoissonBlend])
def test_a_single_image_has_no_donor(array: type[RandPatch[Any]]) -> None:
    with pytest.raises(ValueError, match="A single normal has no other image to take a patch from; give at least two"):
        array()(images(1, 1, 16, 16))  # type: ignore[call-arg]


@each_kind
def test_dictionary(array: Any, dictionary: Any) -> None:
    image = images(4, 1, 16, 20)
    data = {"image": image, "label": 3}
    result = dictionary("image", "patch")(data, seeded(2))
    expected = array()(image, seeded(2))
    assert torch.equal(result["image"], expected[0]) and torch.equal(result["patch"], expected[1])
    assert result["label"] == 3
    assert set(data) == {"image", "label"} and data["image"] is image
    torch.manual_seed(2)
    assert torch.equal(Compose([dictionary(["image"])])(data)["mask"], expected[1])
    with pytest.raises(TypeError, match="nonsense"):
        dictionary("image", nonsense=1)


@each_kind
def test_dictionary_puts_the_same_patches_into_all_keys(array: Any, dictionary: Any) -> None:
    first, second = images(4, 1, 16, 20), images(4, 3, 16, 20, seed=1)
    result = dictionary(["a", "b"])({"a": first, "b": second}, seeded(2))
    assert torch.equal(result["a"], array()(first, seeded(2))[0])
    assert torch.equal(result["b"], array()(second, seeded(2))[0])
    with pytest.raises(ValueError, match="same number and size"):
        dictionary(["a", "b"])({"a": first, "b": second[:, :, :, :12]})


@each_kind
def test_missing_keys(array: Any, dictionary: Any) -> None:
    with pytest.raises(KeyError, match="image"):
        dictionary("image")({})
    assert dictionary("image", allow_missing_keys=True)({"label": 1}) == {"label": 1}
    assert isinstance(dictionary("image"), RandPatchd)
