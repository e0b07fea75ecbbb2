# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the space-aware memory saves by reading and writing all images and locations at once.

``python -m measurements.memory_timing`` measures it with a full memory.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from measurements.command_line import THREADS_ADVICE, add_json, add_rounds, run_measurement
from measurements.comparison import Comparison, format_table, write_numbers
from monai_anomaly.networks.blocks.memory.space_aware_memory import SpaceAwareMemory
from monai_anomaly.utils.stopwatch import Span, Stopwatch

__all__ = ["MEMORY_BAR", "LoopMemory", "main", "time_memory"]

MEMORY_BAR = 0.1
"""At least ten times as fast as the loop."""

PASSES = 10
"""In a round, because processor time is counted in hundredths of a second."""


class LoopMemory:
    """The memory with one Python step for each image and location, as its algorithm is written down.

    It starts as a copy of the given memory, which is one of "replace_dissimilar", "topk", "local" and "weighted".

    Source: report of S. R., "Unsupervised Anomaly Detection using SimSID algorithm", Algorithm 4.4, without its noise.
    """

    def __init__(self, memory: SpaceAwareMemory) -> None:
        self.memory = memory.memory.clone()
        self.counts = memory.filled.sum(dim=1).tolist()
        self.pointers = memory.pointer.tolist()
        self.top_k, self.similarity = memory.top_k, memory.similarity

    def read(self, query: Tensor) -> Tensor:
        """Features ``(B, P, D)`` to answers of the same shape."""
        answer = torch.zeros_like(query)
        for image in range(query.shape[0]):
            for place in range(query.shape[1]):
                rows = self.memory[place, : self.counts[place]]
                top = torch.softmax(rows @ query[image, place], dim=0).topk(self.top_k)
                answer[image, place] = (top.values / top.values.sum()) @ rows[top.indices]
        return answer

    def write(self, tokens: Tensor) -> None:
        """Take features ``(B, P, D)`` in."""
        for image in range(tokens.shape[0]):
            for place in range(tokens.shape[1]):
                feature, count = tokens[image, place], self.counts[place]
                rows = self.memory[place, :count]
                if count == 0 or F.cosine_similarity(rows, feature, dim=1).max() < self.similarity:
                    self.memory[place, self.pointers[place]] = feature
                    self.pointers[place] = (self.pointers[place] + 1) % self.memory.shape[1]
                    self.counts[place] = min(count + 1, self.memory.shape[1])


@torch.no_grad()
def time_memory(
    *,
    rounds: int = 8,
    images: int = 16,
    locations: int = 64,
    slots: int = 200,
    dim: int = 64,
    json_path: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Measure reading and writing of a full memory against :class:`LoopMemory` and print both as a table.

    Both sides get the same features; half of them the memory holds already, but for a little noise.

    Args:
        rounds: how often both sides are timed, after one round that is not.
        images: number of images in a batch.
        locations: number of locations of the memory.
        slots: number of rows of each location.
        dim: length of a feature.
        json_path: where to write the numbers, if anywhere.

    Returns:
        The numbers, as written to the file; "largest_difference" is that of the answers of all rounds, or of the
        memories after all of them.
    """
    draw = torch.Generator().manual_seed(0)
    memory = SpaceAwareMemory(locations, slots, dim, write="replace_dissimilar", top_k=min(5, slots))
    memory.write(torch.randn(slots, locations, dim, generator=draw))
    loop = LoopMemory(memory)
    read = Comparison("memory read", MEMORY_BAR, per=PASSES, notes={"largest_difference": 0.0})
    write = Comparison("memory write", MEMORY_BAR, per=PASSES)
    for number in range(rounds + 1):
        batches = [_half_known(memory, images, draw) for _ in range(PASSES)]
        for comparison, ours, theirs in ((read, memory.forward, loop.read), (write, memory.write, loop.write)):
            spans = _time(ours, batches), _time(theirs, batches)
            if number:
                comparison.ours.append(spans[0])
                comparison.floor.append(spans[1])
        difference = _difference(memory(batches[0]), loop.read(batches[0]))
        read.notes["largest_difference"] = max(read.notes["largest_difference"], difference)
    write.notes["largest_difference"] = _difference(memory.memory, loop.memory)
    print(format_table([read, write]))
    for comparison in (read, write):
        speed, difference = 1.0 / comparison.ratio, comparison.notes["largest_difference"]
        print(f"{comparison.name}: {speed:.1f} times as fast as the loop, largest difference {difference:.1g}")
    result = {"memory_read": read.summary(), "memory_write": write.summary()}
    write_numbers(json_path, result)
    return result


def _half_known(memory: SpaceAwareMemory, images: int, draw: torch.Generator) -> Tensor:
    """Features ``(B, P, D)``: those of even images are near a row of the memory, those of odd images are new."""
    locations, slots, dim = memory.memory.shape
    tokens = torch.randn(images, locations, dim, generator=draw)
    known = memory.memory[:, torch.randint(slots, (images,), generator=draw)].transpose(0, 1)
    tokens[::2] = (known + 0.1 * tokens)[::2]
    return tokens


def _time(work: Callable[[Tensor], object], batches: list[Tensor]) -> Span:
    watch = Stopwatch()
    for batch in batches:
        work(batch)
    return watch.read()


def _difference(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.memory_timing",
        description="Time reading and writing of the space-aware memory against a loop over images and locations.",
        epilog=THREADS_ADVICE,
    )
    add_rounds(parser)
    add_json(parser)
    return run_measurement(time_memory, **vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
