# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.data.sets.epoch_sampler import EpochSampler, epoch_seed


def test_small_sets_are_gone_through_evenly():
    order = list(EpochSampler(range(5), 12, seed=1))
    assert len(order) == 12
    assert sorted(order[:5]) == sorted(order[5:10]) == list(range(5))


def test_large_sets_are_drawn_without_repeats():
    assert len(set(EpochSampler(range(100), 30, seed=1))) == 30


def test_order_depends_on_seed_and_epoch_alone():
    a, b = EpochSampler(range(50), 20, seed=4), EpochSampler(range(50), 20, seed=4)
    list(a)
    a.set_epoch(7)
    b.set_epoch(7)
    assert list(a) == list(b) == list(a)
    b.set_epoch(8)
    assert list(a) != list(b)
    assert list(a) != list(EpochSampler(range(50), 20, seed=5))


@pytest.mark.parametrize(("size", "samples"), [(0, 1), (3, 0)])
def test_empty(size, samples):
    with pytest.raises(ValueError, match="at least"):
        EpochSampler(range(size), samples)


def test_epoch_seeds_differ():
    seeds = {epoch_seed(s, e) for s in range(10) for e in range(1, 50)}
    assert len(seeds) == 490
    assert all(0 <= s < 2**32 for s in seeds)
