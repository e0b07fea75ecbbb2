# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from monai_anomaly.apps.archive import fetching
from monai_anomaly.apps.archive.fetching import FetchingError, fetched


@pytest.fixture
def store():
    system = fsspec.filesystem("memory")
    for number in range(100):
        system.pipe_file(f"/fetched/{number}.nii.gz", str(number).encode())
    yield [{"image": f"memory://fetched/{number}.nii.gz", "index": number} for number in range(100)]
    system.rm("/fetched", recursive=True)


def test_files_come_in_order_and_go_when_they_are_discarded(store, tmp_path):
    store.insert(50, {"image": "memory://fetched/gone.png", "index": 100})
    store.insert(51, {"image": "/here/a.png", "index": 101})
    seen, most = [], 0
    for each in fetched(store, tmp_path):
        seen.append(each.item["index"])
        if each.item["index"] == 100:
            assert each.refusal.code == "not_found"
        elif each.item["index"] == 101:
            assert each.refusal is None and each.item["image"] == "/here/a.png"
        else:
            assert each.item["image"].endswith(".nii.gz")
            assert Path(each.item["image"]).read_bytes() == str(each.item["index"]).encode()
        most = max(most, sum(path.is_file() for path in tmp_path.rglob("*")))
        each.discard()
    assert seen == [item["index"] for item in store] and most <= fetching.AHEAD + 2
    assert not list(tmp_path.iterdir())


def test_a_store_that_does_not_answer_is_asked_again(store, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "PAUSES", (0.0, 0.0))
    answers = iter([ConnectionError, None, ConnectionError, ConnectionError, ConnectionError])
    get_file = MemoryFileSystem.get_file

    def flaky(self, *arguments, **options):
        error = next(answers)
        if error is not None:
            raise error("s3://bucket/a-patient-s-name")
        return get_file(self, *arguments, **options)

    monkeypatch.setattr(MemoryFileSystem, "get_file", flaky)
    (first,) = fetched(store[:1], tmp_path)
    assert first.refusal is None
    with pytest.raises(FetchingError, match="ConnectionError") as caught:
        list(fetched(store[1:2], tmp_path))
    assert "patient" not in str(caught.value)


def test_a_huge_file_is_not_fetched(store, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "LONGEST_FILE", 1)
    codes = [each.refusal and each.refusal.code for each in fetched(store[8:12], tmp_path)]
    assert codes == [None, None, "budget", "budget"]
