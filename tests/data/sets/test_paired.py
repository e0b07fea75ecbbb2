# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.data import DataLoader
from PIL import Image

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.data.sets.epoch_sampler import EpochSampler
from monai_anomaly.data.sets.paired import POOL_IMAGE, PairedDataset, PairedSampler, check_pool
from monai_anomaly.handlers.training.epoch_seed import EpochSeed
from monai_anomaly.transforms.preprocessing import Preprocessing

NORMALS, POOL = 5, 7


def cache(folder: Path, count: int, label: int, side: int = 16) -> CachedDataset:
    folder.mkdir()
    pictures = np.random.default_rng(label + 5).integers(0, 256, (count, 32, 32), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number}.png")
    items = [
        {"image": str(folder / f"{n}.png"), "name": f"{folder.name}{n}", "label": label, "group": "g", "index": n}
        for n in range(count)
    ]
    return CachedDataset(items, Preprocessing(side), progress=False)


@pytest.fixture
def normals(tmp_path: Path) -> CachedDataset:
    return cache(tmp_path / "n", NORMALS, 0)


@pytest.fixture
def pool(tmp_path: Path) -> CachedDataset:
    return cache(tmp_path / "u", POOL, -1)


def assert_same(ours: dict, theirs: dict) -> None:
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        assert torch.equal(ours[key], value) if isinstance(value, torch.Tensor) else ours[key] == value, key


# ---- the data set ---------------------------------------------------------------------------------------------------


def test_an_item_is_the_normal_s_with_the_image_of_the_pool_alone(normals, pool):
    dataset = PairedDataset(normals, pool)
    assert len(dataset) == NORMALS
    pairs = [(4, 6), (0, 0), (4, 1), (2, 6)]
    items = dataset.__getitems__(pairs)
    for (i, j), item in zip(pairs, items, strict=True):
        assert_same(item, {**normals[i], POOL_IMAGE: pool[j]["image"]})
        assert_same(dataset[i, j], item)
    before = normals.images[:], pool.images[:]
    for item in items:
        item["image"].zero_()
        item[POOL_IMAGE].zero_()
    assert torch.equal(normals.images[:], before[0]) and torch.equal(pool.images[:], before[1])


def test_without_a_pool_items_are_those_of_the_normals(normals):
    for pool in (None, []):  # an empty list has the length of an empty pool
        dataset = PairedDataset(normals, pool)
        assert len(dataset) == NORMALS
        for ours, theirs in zip(dataset.__getitems__([(3, -1), (0, -1)]), normals.__getitems__([3, 0]), strict=True):
            assert_same(ours, theirs)
        assert_same(dataset[1, -1], normals[1])


def test_shapes_must_agree(normals, tmp_path):
    with pytest.raises(ValueError, match=r"shape of the normals, \(1, 16, 16\), got \(1, 8, 8\)"):
        PairedDataset(normals, cache(tmp_path / "small", 2, -1, side=8))


# ---- the sampler ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2**31])
@pytest.mark.parametrize("epoch", [1, 2, 9])
def test_the_normals_order_is_theirs_with_and_without_a_pool(seed, epoch):
    alone = EpochSampler(range(NORMALS), 12, seed=seed)
    paired = PairedSampler(EpochSampler(range(NORMALS), 12, seed=seed), EpochSampler(range(POOL), 12, seed=seed))
    without = PairedSampler(EpochSampler(range(NORMALS), 12, seed=seed))
    for sampler in (alone, paired, without):
        sampler.set_epoch(epoch)
    assert [i for i, _ in paired] == [i for i, _ in without] == list(alone)
    assert {j for _, j in without} == {-1} and len(paired) == len(without) == 12


def test_the_pool_is_drawn_by_whole_permutations_of_its_own():
    first, second = EpochSampler(range(40), 80, seed=3), EpochSampler(range(40), 80, seed=3)
    sampler = PairedSampler(first, second)
    seen = set()
    for epoch in range(1, 6):
        sampler.set_epoch(epoch)
        pairs = list(sampler)
        assert pairs == list(sampler)
        others = [j for _, j in pairs]
        assert sorted(others[:40]) == sorted(others[40:]) == list(range(40))
        assert others not in ([i for i, _ in pairs], list(second))
        seen |= set(pairs)
    assert len(seen) > 300  # 400 pairs of 1600: one common index would give 40
    assert len({i == j for i, j in seen}) == 2


def test_the_pool_s_order_depends_on_its_seed_and_the_epoch_alone():
    def order(seed: int, epoch: int, normals: int = 5, first_seed: int = 0) -> list[int]:
        sampler = PairedSampler(
            EpochSampler(range(normals), 20, seed=first_seed), EpochSampler(range(POOL), 20, seed=seed)
        )
        sampler.set_epoch(epoch)
        return [j for _, j in sampler]

    assert order(1, 4) == order(1, 4) == order(1, 4, normals=17, first_seed=8)
    assert order(1, 4) != order(2, 4) and order(1, 4) != order(1, 5)


def test_the_samplers_given_are_left_as_they_are():
    first, second = EpochSampler(range(NORMALS), 6, seed=2), EpochSampler(range(POOL), 6, seed=2)
    before = list(first), list(second)
    sampler = PairedSampler(first, second)
    sampler.set_epoch(7)
    again = PairedSampler(first, second)
    again.set_epoch(7)
    assert list(sampler) == list(again) and before == (list(first), list(second))


def test_processes_share_one_order():
    def part(rank: int, world_size: int, samples: int) -> list:
        options = {"seed": 5, "rank": rank, "world_size": world_size}
        return list(
            PairedSampler(EpochSampler(range(9), samples, **options), EpochSampler(range(POOL), samples, **options))
        )

    whole = part(0, 1, 12)
    assert part(0, 2, 6) == whole[::2] and part(1, 2, 6) == whole[1::2]


@pytest.mark.parametrize("options", [{"num_samples": 5}, {"world_size": 2}, {"world_size": 2, "rank": 1}])
def test_samplers_must_agree(options):
    second = EpochSampler(range(POOL), **{"num_samples": 6, **options})
    with pytest.raises(ValueError, match="same num_samples, rank and world_size"):
        PairedSampler(EpochSampler(range(NORMALS), 6), second)


def test_a_loader_gives_the_pairs_of_the_epoch_that_the_handler_sets(normals, pool):
    sampler = PairedSampler(EpochSampler(normals, 8, seed=1), EpochSampler(pool, 8, seed=1))
    loader = DataLoader(PairedDataset(normals, pool), batch_size=4, sampler=sampler, drop_last=True)
    orders = []
    for epoch in (1, 2):
        EpochSeed(1, loader)(SimpleNamespace(state=SimpleNamespace(epoch=epoch)))
        batches = list(loader)
        pairs = list(sampler)
        assert torch.equal(torch.cat([b["image"] for b in batches]), normals.images[[i for i, _ in pairs]])
        assert torch.equal(torch.cat([b[POOL_IMAGE] for b in batches]), pool.images[[j for _, j in pairs]])
        assert all(set(b["label"].tolist()) == {0} for b in batches)
        orders.append(pairs)
    assert orders[0] != orders[1]


# ---- enough to make a step ------------------------------------------------------------------------------------------


def test_a_pool_smaller_than_a_batch_and_a_single_normal_are_one_clear_sentence():
    with pytest.raises(DataListError, match="the pool has 7 images, fewer than a batch of 8"):
        check_pool(7, 8)
    for count in (0, 1):
        with pytest.raises(DataListError, match=f"normal training images is {count}, .* add normal images"):
            check_pool(8, 8, normals=count)
    check_pool(8, 8, normals=2)
    check_pool(0, 8, normals=2)  # no pool
    check_pool(9, 8)


def test_a_batch_of_one_has_no_donor():
    with pytest.raises(ValueError, match="batch_size must be at least 2, got 1"):
        check_pool(0, 1)
