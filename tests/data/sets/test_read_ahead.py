# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import threading
import time

import pytest
import torch
from monai.data import DataLoader

from monai_anomaly.data.sets.read_ahead import ReadAhead


class _Data(torch.utils.data.Dataset):
    def __init__(self, length=11, bad=None):
        self.length, self.bad = length, bad
        self.read: list[int] = []
        self.threads: set[threading.Thread] = set()

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if index == self.bad:
            raise KeyError("a defect")
        time.sleep(0.001 * (index % 3))  # the last to begin is not the last to end
        self.threads.add(threading.current_thread())
        self.read.append(index)
        return {"image": torch.full((1, 2, 2), float(index)), "name": f"image {index}"}


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("length", [0, 1, 11, 12])
def test_batches_are_those_of_a_loader_without_threads(threads, length):
    data = _Data(length)
    plain, ahead = list(DataLoader(_Data(length), batch_size=4)), list(ReadAhead(data, 4, threads))
    assert len(plain) == len(ahead) == len(ReadAhead(data, 4, threads))
    for one, other in zip(plain, ahead, strict=True):
        assert one.keys() == other.keys() and one["name"] == other["name"]
        assert torch.equal(torch.as_tensor(one["image"]), torch.as_tensor(other["image"]))
    assert sorted(data.read) == list(range(length)) and len(data.threads) <= threads
    assert not any(thread.is_alive() for thread in data.threads)


def test_without_threads_nothing_is_read_ahead():
    data = _Data()
    batches = iter(ReadAhead(data, 4))
    next(batches)
    assert data.read == [0, 1, 2, 3] and data.threads == {threading.current_thread()}


def test_no_more_than_the_next_batch_is_read_ahead():
    data = _Data(100)
    batches = iter(ReadAhead(data, 4, 3))
    next(batches)
    deadline = time.monotonic() + 10
    while len(data.read) < 8 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.02)
    assert sorted(data.read) == list(range(8))
    batches.close()
    assert len(data.read) == 8 and not any(thread.is_alive() for thread in data.threads)


def test_an_error_comes_where_its_batch_would_have_been():
    batches = iter(ReadAhead(_Data(bad=5), 4, 2))
    assert next(batches)["name"] == [f"image {index}" for index in range(4)]
    with pytest.raises(KeyError, match="a defect"):
        next(batches)


def test_the_number_of_threads_is_checked():
    with pytest.raises(ValueError, match="num_workers must be 0 or more"):
        ReadAhead(_Data(), 4, -1)
