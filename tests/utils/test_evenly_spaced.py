# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.utils.evenly_spaced import evenly_spaced


class Images:
    """Notes how many images are asked for at a time."""

    def __init__(self, count: int) -> None:
        self.values = torch.arange(count).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 3)
        self.shape = self.values.shape
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index) -> torch.Tensor:
        found = self.values[index]
        self.asked.append(len(found) if found.dim() == 4 else 1)
        return found


def test_the_first_and_the_last_are_among_them_and_are_read_part_by_part_each_time():
    images = Images(9)
    some = evenly_spaced(images, 5)
    assert len(some) == 5 and some.shape == (5, 1, 2, 3) and not images.asked
    parts = some.split(2)
    for _ in range(2):
        assert torch.cat(list(parts))[:, 0, 0, 0].tolist() == [0, 2, 4, 6, 8]
    assert images.asked == [2, 2, 1] * 2


def test_rows_are_those_of_the_chosen_images():
    some = evenly_spaced(Images(9), 3)
    assert int(some[1][0, 0, 0]) == 4
    assert some[1:][:, 0, 0, 0].tolist() == some[torch.tensor([1, 2])][:, 0, 0, 0].tolist() == [4, 8]


def test_few_images_are_handed_back_as_they_are():
    images = torch.zeros(4, 1, 2, 2)
    assert evenly_spaced(images, 4) is images


def test_none_is_refused():
    with pytest.raises(ValueError, match="most must be at least 1, got 0"):
        evenly_spaced(torch.zeros(4, 1, 2, 2), 0)
