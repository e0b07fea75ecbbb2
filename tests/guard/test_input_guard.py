# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from monai_anomaly.guard.input_guard import InputGuard
from monai_anomaly.guard.picture_likeness import PictureLikeness
from monai_anomaly.guard.picture_rules import PictureRules
from monai_anomaly.transforms.intensity import NormalizeImage
from monai_anomaly.utils.exceptions import CheckpointError

FACTS = {"rows": 200, "columns": 250, "colored": 0.0}


def pictures(count: int, seed: int, size: int = 64) -> torch.Tensor:
    """Return a bright ellipse above a dark ground, smooth texture, each its own brightness; (N, 1, S, S)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    images = []
    for _ in range(count):
        center, radius = rng.normal([-0.25, 0], 0.06), rng.normal([0.45, 0.6], 0.05)
        shape = 1 / (1 + np.exp(20 * (np.hypot((y - center[0]) / radius[0], (x - center[1]) / radius[1]) - 1)))
        texture = np.kron(rng.normal(size=(8, 8)), np.ones((size // 8, size // 8)))
        texture = np.apply_along_axis(np.convolve, 0, texture, np.ones(5) / 5, "same")
        image = rng.uniform(0.05, 0.15) + rng.uniform(0.5, 0.7) * shape * (1 + 0.15 * texture)
        images.append(image + rng.normal(scale=0.02, size=(size, size)))
    return torch.from_numpy(np.clip(images, 0, 1)).float()[:, None]


@pytest.fixture(scope="module")
def normals() -> torch.Tensor:
    return pictures(240, 0)


@pytest.fixture(scope="module")
def guard(normals) -> InputGuard:
    return InputGuard.fit(normals, [FACTS] * len(normals))


@pytest.mark.parametrize("intensity", ["none", "zscore", "percentile"])
def test_it_refuses_foreign_images_and_at_most_two_percent_of_new_normals(normals, intensity):
    normalize = NormalizeImage(intensity)

    def refused(images: torch.Tensor) -> float:
        return float(np.mean([bool(guard.check(normalize(image), FACTS)) for image in images]))

    guard = InputGuard.fit(torch.stack([normalize(image) for image in normals]), [FACTS] * len(normals))
    new = pictures(200, 1)
    generator = torch.Generator().manual_seed(0)
    half_black = new[:20].clone()
    half_black[..., :32] = 0
    assert refused(new) <= 0.02
    assert refused(1 - new[:20]) == 1
    assert refused(new[:20].flip(2)) == 1
    assert refused(new[:20].rot90(1, (2, 3))) == 1
    assert refused(half_black) == 1
    assert refused(torch.rand(10, 1, 64, 64, generator=generator)) == 1
    assert refused(torch.linspace(0, 1, 5).view(5, 1, 1, 1).expand(5, 1, 64, 64)) == 1
    assert refused(new[:20].flip(3)) <= 0.05, "these normals have no left and right"


@pytest.mark.parametrize("count", [16, 64])
def test_few_normals_refuse_hardly_a_new_one(count):
    refused = 0
    for seed in range(3):
        guard = InputGuard.fit(pictures(count, seed), [{}] * count)
        refused += sum(bool(guard.check(image, {})) for image in pictures(50, 100 + seed))
    assert refused <= 4  # of 150


def test_too_few_normals_know_no_likeness_and_say_how_many_they_were():
    images = pictures(40, 0)
    assert InputGuard.fit(images[:15], [{}] * 15).likeness is None
    few_patients = InputGuard.fit(images, [{"group": f"p{i % 7}"} for i in range(40)])
    assert few_patients.likeness is None
    assert (few_patients.state()["n_images"], few_patients.state()["n_groups"]) == (40, 7)
    one = InputGuard.fit(images[:1], [FACTS])
    assert one.check(images[20], FACTS) == one.check(1 - images[20], FACTS) == ""
    assert "blank" in one.check(torch.zeros(1, 64, 64), FACTS)


def test_copies_within_a_patient_do_not_narrow_the_limit():
    images = pictures(40, 0).repeat_interleave(5, 0)
    images += 1e-4 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    patients = [f"p{i // 5}" for i in range(len(images))]
    known, unknown = (
        PictureLikeness.fit(images, patients),
        PictureLikeness.fit(images, [str(i) for i in range(len(images))]),
    )
    assert known is not None and unknown is not None
    new = [known.distances["edges"], unknown.distances["edges"]]
    torch.testing.assert_close(new[0].mean, new[1].mean)
    allowed = [math.exp(one.centers["edges"] + one.limit * one.spreads["edges"]) for one in (known, unknown)]
    assert allowed[0] > allowed[1]


SIZES: list[tuple[dict[str, Any], str]] = [
    ({"rows": 200, "columns": 250}, ""),
    ({"rows": 2000, "columns": 2500}, ""),
    ({"rows": 50, "columns": 60}, ""),
    ({"rows": 300, "columns": 300}, ""),
    ({"rows": 400, "columns": 250}, "rows to columns 1.60, limits 0.46 to 1.40"),
    ({"rows": 200, "columns": 450}, "rows to columns 0.44"),
    ({"rows": 40, "columns": 60}, "at least 43 x 43 are needed"),
    ({"rows": 0, "columns": 0, "colored": 0.9}, ""),
    ({"columns": 60}, ""),
    ({}, ""),
    ({"rows": 200, "columns": 250, "colored": 0.04}, ""),
    ({"rows": 200, "columns": 250, "colored": 0.06}, "6.0 % of its pixels are colored, limits 0.0 to 5 %"),
]


@pytest.mark.parametrize(("facts", "reason"), SIZES)
def test_size_and_color(guard, normals, facts, reason):
    sentence = guard.check(normals[0], facts)
    assert (reason in sentence) if reason else sentence == ""
    assert guard.check(normals[0], {key: torch.tensor(value) for key, value in facts.items()}) == sentence


def test_normals_that_were_enlarged_allow_enlarged_pictures(normals):
    guard = InputGuard.fit(normals, [{"rows": 32, "columns": 48}] * len(normals))
    assert guard.check(normals[0], {"rows": 22, "columns": 33}) == ""
    assert "at least 21 x 21" in guard.check(normals[0], {"rows": 20, "columns": 33})


def test_colored_normals_refuse_gray_pictures():
    images = torch.rand(30, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    facts = [{"rows": 64, "columns": 64, "colored": 0.2 + 0.02 * i} for i in range(30)]
    assert PictureRules.fit(images, facts).colored == pytest.approx((0.05, 0.78 + 0.145))
    assert PictureRules.fit(images[:19], facts[:19]).colored[0] == 0


def test_blank_flat_and_non_finite(guard, normals):
    assert "it is blank or nearly so (standard deviation 0.000, at least" in guard.check(
        torch.full((1, 64, 64), 0.3), {}
    )
    faint = 0.5 + 0.01 * (normals[0] - normals[0].mean())
    assert "it is blank or nearly so" in guard.check(faint, {})
    saturated = normals[0].clone()
    saturated[:, :, :40] = 1
    assert "62 % of its pixels have its brightest value" in guard.check(saturated, {})
    broken = normals[0].clone()
    broken[0, 3, 3] = math.nan
    assert guard.check(broken, {}) == "not like the 240 training normals: it holds values that are not finite."


def test_a_blank_normal_does_not_switch_the_rules_off(normals):
    mixed = torch.cat([normals[:199], torch.zeros(1, 1, 64, 64)])
    guard = InputGuard.fit(mixed, [{}] * 200)
    assert "blank" in guard.check(torch.zeros(1, 64, 64), {}) and guard.rules.dark < 1


def test_a_sentence_names_what_is_unlike(guard, normals):
    sentence = guard.check(normals[0].rot90(1, (1, 2)), FACTS)
    assert sentence.startswith("not like the 240 training normals: ") and sentence.endswith(").")
    assert "unlike the training normals' (distance" in sentence
    noisy = normals[0] + 0.2 * torch.randn(normals[0].shape, generator=torch.Generator().manual_seed(0))
    assert "its gray values, contrast or sharpness are unlike" in guard.check(noisy, FACTS)


def test_the_state_is_plain_and_gives_the_same_guard(guard, normals, tmp_path):
    torch.save(guard.state(), tmp_path / "guard.pt")
    again = InputGuard.from_state(torch.load(tmp_path / "guard.pt", weights_only=True))
    assert again.likeness is not None and again.rules == guard.rules
    for image in (normals[3], 1 - normals[3], normals[5].flip(1), torch.rand(1, 64, 64)):
        assert again.check(image, FACTS) == guard.check(image, FACTS)
    assert (tmp_path / "guard.pt").stat().st_size < 400_000


def test_a_batch_is_judged_as_one_by_one(guard, normals):
    broken = torch.full((1, 64, 64), torch.nan)
    images = torch.stack([normals[3], 1 - normals[3], broken, normals[5].flip(1), torch.zeros(1, 64, 64), normals[7]])
    facts = [FACTS] * 5 + [{"rows": 10, "columns": 400}]
    whole = guard.check_all(images, facts)
    assert whole == [guard.check(image, fact) for image, fact in zip(images, facts, strict=True)]
    assert whole[0] == "" and all(whole[i] for i in (1, 2, 4, 5))
    assert guard.check_all(images[:0], []) == []


def test_with_threads_no_bit_of_a_large_image_depends_on_the_batch(monkeypatch):
    """PyTorch shares out the sums of one image of 224 x 224 among its threads, and those of several by images."""
    seen: list[dict[str, torch.Tensor]] = []
    monkeypatch.setattr(PictureLikeness, "_judge", lambda self, features: seen.append(features) or "")
    images = torch.rand(8, 1, 224, 224, generator=torch.Generator().manual_seed(0))
    likeness, threads = PictureLikeness({}, {}, {}, 1.0), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        for size in (1, 3, 8):
            for batch in images.split(size):
                likeness.check(batch)
    finally:
        torch.set_num_threads(threads)
    for number in range(8):
        alone, *others = seen[number::8]
        assert len(others) == 2 and all(torch.equal(alone[k], other[k]) for other in others for k in alone)


def test_it_depends_on_the_data_alone_and_draws_no_random_number(normals):
    before = torch.get_rng_state()
    # names of patients differ from site to site, because they are keyed hashes
    named = ([{**FACTS, "group": f"{(7 * i * sign) % 40}"} for i in range(40)] for sign in (1, -1))
    first, second = (InputGuard.fit(normals[:40], facts).state() for facts in named)
    assert torch.equal(torch.get_rng_state(), before)
    assert first["rules"] == second["rules"]
    a, b = first["likeness"], second["likeness"]
    assert (a["limit"], a["centers"], a["spreads"]) == (b["limit"], b["centers"], b["spreads"])
    for name in a["distances"]:
        assert all(
            torch.equal(a["distances"][name][key], b["distances"][name][key]) for key in ("mean", "axes", "weights")
        )


def test_many_normals_are_thinned_out_evenly(monkeypatch, normals):
    monkeypatch.setattr("monai_anomaly.guard.picture_likeness.MAX_IMAGES", 60)
    thinned = InputGuard.fit(normals, [{}] * 240)
    rows = np.linspace(0, 239, 60).round().astype(int)
    alone = InputGuard.fit(normals[torch.from_numpy(rows)], [{}] * 60)
    assert thinned.likeness is not None and alone.likeness is not None
    assert thinned.likeness.limit == alone.likeness.limit and thinned.n_images == 240


def test_three_channels():
    images = pictures(40, 0).repeat(1, 3, 1, 1) * torch.tensor([1.0, 0.8, 0.7]).view(3, 1, 1)
    guard = InputGuard.fit(images, [{}] * 40)
    assert guard.check(images[3], {}) == ""
    assert "gray values" in guard.check(images[3].flip(0), {})


@pytest.mark.parametrize(
    ("images", "facts", "message"),
    [
        (torch.zeros(0, 1, 8, 8), [], "N at least 1"),
        (torch.zeros(1, 8, 8), [{}], "must be"),
        (torch.zeros(2, 1, 8, 8), [{}], "facts for each image"),
        (torch.full((2, 1, 8, 8), math.inf), [{}] * 2, "finite"),
    ],
)
def test_what_cannot_be_fitted(images, facts, message):
    with pytest.raises(ValueError, match=message):
        InputGuard.fit(images, facts)


def test_an_image_of_another_shape(guard):
    with pytest.raises(ValueError, match=r"must be \(1, 64, 64\)"):
        guard.check(torch.zeros(1, 32, 32), {})


@pytest.mark.parametrize("change", [{"version": 2}, {"version": 1, "shape": [1]}, {"rules": {"aspect": 1}}, None])
def test_damaged_states(guard, change):
    state = None if change is None else {**guard.state(), **change}
    with pytest.raises(CheckpointError, match="train again"):
        InputGuard.from_state(state)
