# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from measurements import memory_timing
from measurements.memory_timing import LoopMemory, main, time_memory
from monai_anomaly.networks.blocks.memory.space_aware_memory import SpaceAwareMemory

SMALL = {"rounds": 2, "images": 3, "locations": 4, "slots": 6, "dim": 5}


def test_ratios_and_differences_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    result = time_memory(**SMALL, json_path=tmp_path / "numbers.json")
    assert result == json.loads((tmp_path / "numbers.json").read_text())
    assert set(result) == {"memory_read", "memory_write"}
    assert all(len(n["ratios"]) == 2 and math.isfinite(n["ratio_median"]) for n in result.values())
    assert result["memory_read"]["largest_difference"] < 1e-5
    assert result["memory_write"]["largest_difference"] == 0.0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:3]] == ["memory read", "memory write"]
    assert all("times as fast as the loop, largest difference" in line for line in lines[3:])


def test_a_difference_is_seen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(LoopMemory, "write", lambda self, tokens: None)
    result = time_memory(**SMALL)
    assert result["memory_write"]["largest_difference"] > 0.1
    assert result["memory_read"]["largest_difference"] > 0.1


@torch.no_grad()
def test_the_loop_takes_an_empty_memory_too():
    memory = SpaceAwareMemory(4, 6, 5, write="replace_dissimilar", top_k=3, similarity=0.2)
    loop = LoopMemory(memory)
    tokens = torch.randn(5, 4, 5, generator=torch.Generator().manual_seed(0))
    memory.write(tokens)
    loop.write(tokens)
    assert torch.equal(loop.memory, memory.memory)
    assert loop.counts == memory.filled.sum(dim=1).tolist() and loop.pointers == memory.pointer.tolist()


def test_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(memory_timing, "PASSES", 1)
    assert main(["--rounds=1", f"--json={tmp_path / 'numbers.json'}"]) == 0
    assert "memory read" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "numbers.json").read_text())["memory_write"]["ratios"]) == 1
