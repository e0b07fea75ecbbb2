# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Files that are read while the batch before them is scored."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from math import ceil
from typing import Any, cast

from monai.data.dataloader import DataLoader
from torch.utils.data import Dataset

__all__ = ["ReadAhead"]

TOGETHER = 8
"""Images that a thread reads one after the other: enough to decode ahead, and soon done where the caller ends."""


class ReadAhead(DataLoader):
    """A loader whose threads read the next batch while the caller works on this one.

    Batches, their order and what a file raises are those of a loader without threads, whatever their number. A process
    for each worker, as PyTorch has, would import all of this once more, some seconds for a list of any length, and
    would send every image through shared memory. Threads are enough, since decoders, zlib and PyTorch let each other
    run, and a file with a ``decode_limit`` is decoded in a process anyway, one for each thread.

    Args:
        dataset: has a length, and is read from several threads at once.
        batch_size: images of a batch.
        num_workers: threads that read; 0 reads in the caller's, between its batches. No more than the next batch is
            read ahead, which bounds the memory.
        **options: of MONAI's loader; a shuffling one must not draw random numbers in the data set.

    Raises:
        ValueError: for a negative number of threads.
    """

    def __init__(self, dataset: Dataset[Any], batch_size: int = 1, num_workers: int = 0, **options: Any) -> None:
        if num_workers < 0:
            raise ValueError(f"num_workers must be 0 or more, got {num_workers}.")
        super().__init__(dataset, batch_size=batch_size, num_workers=0, **options)
        self.threads = num_workers

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Yield the batches in order.

        Raises:
            Exception: what the data set raises, where its batch would have been.
        """
        return self._ahead() if self.threads else super().__iter__()

    def _ahead(self) -> Iterator[Any]:
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="reader")
        numbers: Iterator[list[int]] = iter(cast(Any, self.batch_sampler))
        try:
            read: deque[list[Future[list[Any]]]] = deque(self._start(pool, batch) for batch in islice(numbers, 1))
            while read:
                images = [image for part in read.popleft() for image in part.result()]
                read.extend(self._start(pool, batch) for batch in islice(numbers, 1))
                yield self.collate_fn(images)
        finally:
            pool.shutdown(cancel_futures=True)  # a few files for each thread are read on

    def _start(self, pool: ThreadPoolExecutor, batch: list[int]) -> list[Future[list[Any]]]:
        size = min(TOGETHER, ceil(len(batch) / self.threads))
        return [pool.submit(self._read, batch[at : at + size]) for at in range(0, len(batch), size)]

    def _read(self, indices: list[int]) -> list[Any]:
        dataset: Any = self.dataset
        if hasattr(dataset, "__getitems__"):
            return list(dataset.__getitems__(indices))
        return [dataset[index] for index in indices]
