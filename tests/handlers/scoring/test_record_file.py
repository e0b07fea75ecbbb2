# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import builtins
import os

import pytest

from monai_anomaly.handlers.scoring.record_file import RecordFile, read_records

RECORDS = [{"image": "a.png", "status": "scored", "score": 0.1}, {"image": "caf\udce9 北.png", "status": "rejected"}]


def test_records_are_read_back_as_they_are(tmp_path):
    file = RecordFile(tmp_path / "records.jsonl")
    file.start()
    for number, record in enumerate(RECORDS):
        file.append(record)
        assert list(read_records(file.partial)) == RECORDS[:number]
        file.flush()
        assert list(read_records(file.partial)) == RECORDS[: number + 1]
    assert dict(file.counts) == {"scored": 1, "rejected": 1} and not file.path.exists()
    file.finish()
    assert os.listdir(tmp_path) == ["records.jsonl"] and list(read_records(file.path)) == RECORDS
    file.start()
    assert os.listdir(tmp_path) == ["records.jsonl.partial"] and not file.counts


@pytest.mark.parametrize("batch", [1, 2])
def test_a_disk_that_is_full_within_a_batch_leaves_the_batches_before(tmp_path, monkeypatch, batch):
    """A disk that takes half of a line, and nothing after it, as ENOSPC does."""
    file = RecordFile(tmp_path / "records.jsonl")
    file.start()
    file.append(RECORDS[0])
    file.flush()
    plain_open = builtins.open

    def full(path, *args, **options):
        stream = plain_open(path, *args, **options)
        return _FullDisk(stream) if str(path).endswith(".partial") else stream

    monkeypatch.setattr(builtins, "open", full)
    with pytest.raises(OSError, match="No space left"):
        for record in RECORDS[2 - batch :]:
            file.append(record)
        file.flush()
    monkeypatch.undo()
    assert list(read_records(file.partial)) == RECORDS[:1] and file.counts.total() == 1
    file.append(RECORDS[1])  # when there is room again, it goes on behind them
    file.flush()
    assert list(read_records(file.partial)) == RECORDS


class _FullDisk:
    def __init__(self, stream):
        self.stream, self.left = stream, 7

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, data):
        if not self.left:
            raise OSError(28, "No space left on device")
        written = self.stream.write(data[: self.left])
        self.left = 0
        return written
