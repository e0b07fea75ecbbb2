# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.networks.blocks.density.stage_statistics import STATISTICS, StageStatistics

CHANNELS = [3, 5]
PARTS = [(0, "mean"), (1, "deviation"), (1, "cells"), (0, "cells"), (1, "mean"), (0, "grid")]


def _stages(seed: int = 0, sides: tuple[int, int] = (8, 4)) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, c, side, side, generator=generator) for c, side in zip(CHANNELS, sides, strict=True)]


def test_each_part_is_the_statistic_it_says():
    stages = _stages()
    parts = StageStatistics(PARTS, CHANNELS)(stages).split([3, 5, 20, 12, 5, 768], dim=1)
    torch.testing.assert_close(parts[0], stages[0].mean((2, 3)))
    torch.testing.assert_close(parts[1], stages[1].flatten(2).std(2, correction=0))
    torch.testing.assert_close(parts[2], torch.nn.functional.avg_pool2d(stages[1], 2).flatten(1))
    torch.testing.assert_close(parts[3], torch.nn.functional.avg_pool2d(stages[0], 4).flatten(1))
    torch.testing.assert_close(parts[5], stages[0].repeat_interleave(2, 2).repeat_interleave(2, 3).flatten(1))


@pytest.mark.parametrize("side", [1, 3, 7, 14])
def test_cells_share_the_positions_at_their_borders_by_area(side: int):
    stages = [torch.randn(1, 3, side, side)]
    cells = StageStatistics([(0, "cells")], [3])(stages)
    exact = stages[0].repeat_interleave(2, 2).repeat_interleave(2, 3)  # each cell is side x side of these
    torch.testing.assert_close(cells, torch.nn.functional.avg_pool2d(exact, side).flatten(1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("part", [(place, statistic) for place in (0, 1) for statistic in STATISTICS])
@pytest.mark.parametrize("sides", [(8, 4), (7, 1)])
def test_the_map_of_a_weighted_sum_has_it_as_its_mean(part: tuple[int, str], sides: tuple[int, int]):
    stages = _stages(1, sides)
    statistics = StageStatistics([part], CHANNELS)
    weights = torch.randn(2, statistics.count, generator=torch.Generator().manual_seed(2))
    side = sides[part[0]]
    anomaly = statistics.activation(stages, weights, [side, side])
    expected = (weights * statistics(stages)).sum(1)
    torch.testing.assert_close(anomaly.mean((1, 2, 3)), expected, atol=1e-5, rtol=1e-5)


def test_a_map_lights_up_where_its_feature_is():
    stages = [torch.zeros(1, 1, 8, 8)]
    stages[0][0, 0, 1, 6] = 1.0
    for statistic, count in STATISTICS.items():
        anomaly = StageStatistics([(0, statistic)], [1]).activation(stages, torch.ones(1, count), [8, 8])
        assert int(anomaly.argmax()) == 1 * 8 + 6, statistic


def test_a_stage_of_one_position_does_not_vary():
    stages = [torch.randn(2, 3, 1, 1)]
    statistics = StageStatistics([(0, "deviation")], [3])
    assert bool((statistics(stages) == 0).all())
    assert bool(statistics.activation(stages, torch.ones(2, 3), [4, 4]).isfinite().all())


def test_scripted_it_is_the_same():
    statistics, stages = StageStatistics(PARTS, CHANNELS), _stages()
    scripted = torch.jit.script(statistics)
    torch.testing.assert_close(scripted(stages), statistics(stages))
    weights = torch.ones(2, statistics.count)
    torch.testing.assert_close(
        scripted.activation(stages, weights, [16, 16]), statistics.activation(stages, weights, [16, 16])
    )


def test_an_unknown_statistic_is_refused():
    with pytest.raises(ValueError, match="one of 'mean'"):
        StageStatistics([(0, "median")], [3])
