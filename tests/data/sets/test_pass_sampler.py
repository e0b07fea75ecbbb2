# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from monai_anomaly.data.sets.pass_sampler import PassSampler


@pytest.mark.parametrize("sizes", [(7,), (5, 0), (8, 3), (1, 40)])
def test_each_index_comes_once_in_an_order_of_the_seed(sizes):
    order = list(PassSampler(sizes, seed=1))
    assert sorted(order) == list(range(sum(sizes)))
    sampler = PassSampler(sizes, seed=1)
    assert list(sampler) == list(sampler) == order and len(sampler) == len(order)
    assert len(order) == 1 or any(list(PassSampler(sizes, seed=seed)) != order for seed in range(2, 6))


def test_a_pass_that_is_cut_short_has_seen_all_parts_in_their_proportions():
    order = list(PassSampler((60, 20), seed=0))
    for end in (4, 8, 40):
        assert sum(index >= 60 for index in order[:end]) == pytest.approx(end / 4, abs=1)


def test_processes_make_as_many_steps_and_see_all_images():
    parts = [list(PassSampler((6, 5), seed=3, rank=rank, world_size=4)) for rank in range(4)]
    assert [len(part) for part in parts] == [3] * 4
    together = [index for row in zip(*parts, strict=True) for index in row]
    alone = list(PassSampler((6, 5), seed=3))
    assert together == [*alone, alone[0]]


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        PassSampler((0, 0))
