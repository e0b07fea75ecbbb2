# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import socket

import pytest
import torch

from monai_anomaly.engines.objectives import gathering
from monai_anomaly.engines.objectives.gathering import RowTable
from tests.helpers.processes import FreshProcess

CPU = torch.device("cpu")


def values(rows: list[int]) -> torch.Tensor:
    return torch.tensor([[row, 10.0 * row] for row in rows])


def filled(rows: list[int], count: int, size: int = 3) -> RowTable:
    table = RowTable(count)
    for i in range(0, len(rows), size):
        table.add(torch.tensor(rows[i : i + size]), values(rows[i : i + size]))
    return table


def test_each_image_is_at_the_place_of_its_row_and_the_first_of_two_stays():
    table = filled([4, 0, 3, 1, 2], 5)
    table.add(torch.tensor([0, 4]), torch.full((2, 2), -1.0))
    rows, found = table.gathered(CPU)
    assert rows.tolist() == [0, 1, 2, 3, 4] and torch.equal(found, values([0, 1, 2, 3, 4]))


def test_a_pass_that_was_cut_short_has_the_rows_that_it_saw_in_the_same_memory(monkeypatch):
    monkeypatch.setattr(gathering, "BLOCK", 2)  # as if they were very many
    table = filled([9, 2, 7, 3, 5, 8], 10)
    place = table._values.data_ptr()
    rows, found = table.gathered(CPU)
    assert rows.tolist() == [2, 3, 5, 7, 8, 9] and torch.equal(found, values(rows.tolist()))
    assert found.data_ptr() == place


def test_the_next_pass_begins_with_nothing():
    table = filled([0, 1], 2)
    table.gathered(CPU)
    with pytest.raises(RuntimeError, match="no image of the pass was collected"):
        table.gathered(CPU)
    table.add(torch.tensor([1]), torch.ones(1, 3))
    rows, found = table.gathered(CPU)
    assert rows.tolist() == [1] and torch.equal(found, torch.ones(1, 3))


def _gather(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    gathering.BLOCK = 2
    own = [[4, 0, 6], [1, 3, 4]][rank]  # the second goes on with the first image of the order, which the first has
    table = RowTable(8)
    table.add(torch.tensor(own), values(own) + 0.25 * rank)
    torch.save(table.gathered(CPU), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_have_the_same_rows_and_those_of_the_first_count(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = [FreshProcess(_gather, rank, port, str(tmp_path)) for rank in (0, 1)]
    for ended in [process.wait() for process in started]:
        assert ended.returncode == 0, ended.stderr
    expected = values([0, 1, 3, 4, 6])
    expected[1:3] += 0.25
    for rank in (0, 1):
        rows, found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert rows.tolist() == [0, 1, 3, 4, 6] and torch.equal(found, expected)
