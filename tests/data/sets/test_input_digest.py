# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.sets import input_digest
from monai_anomaly.data.sets.input_digest import InputDigests
from monai_anomaly.data.sets.records import RecordDataset
from monai_anomaly.transforms.preprocessing import Preprocessing
from monai_anomaly.utils.identity import site_key

SHAPE = (1, 16, 16)


def _picture(path: Path, seed: int = 0) -> Path:
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 56), dtype=np.uint8)).save(path)
    return path


def _expected(content: bytes) -> str:
    return hmac.new(site_key(), b"input\0" + content, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("size", [0, 1, 2**18 - 1, 2**18, 2**18 + 1, 3 * 2**18 + 5])
def test_the_digest_is_that_of_all_bytes(tmp_path: Path, size: int):
    content = np.random.default_rng(0).bytes(size)
    (tmp_path / "x").write_bytes(content)
    assert InputDigests().of(tmp_path / "x") == _expected(content)
    assert InputDigests().read({"image": tmp_path / "x"}, len) == (1, _expected(content))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_record_says_which_bytes_it_is_of_and_a_refused_one_does_not(tmp_path: Path, workers: int):
    good = _picture(tmp_path / "good.png").read_bytes()
    (tmp_path / "bad.png").write_bytes(good[:200])
    items = [{"image": str(tmp_path / name)} for name in ("good.png", "bad.png", "none.png")]
    data = RecordDataset(items, Preprocessing(16), SHAPE, input_digest=True)
    digests = [digest for batch in DataLoader(data, 2, num_workers=workers) for digest in batch["input_digest"]]
    assert digests == [_expected(good), "", ""]
    assert "input_digest" not in RecordDataset(items, Preprocessing(16), SHAPE)[0]


def test_a_picture_in_memory_and_a_huge_file_have_none(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(input_digest, "LONGEST_FILE", 4)
    (tmp_path / "x").write_bytes(b"12345")
    assert InputDigests().read({"image": tmp_path / "x"}, len) == (1, "")
    assert InputDigests().read({"image": np.zeros(3)}, len) == (1, "")
    assert [InputDigests().of(path) for path in (tmp_path / "x", tmp_path / "none", tmp_path)] == ["", "", ""]


@pytest.mark.parametrize("how", ["replaced", "written to", "written to, with its old time"])
def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, how: str):
    path = tmp_path / "x.png"
    path.write_bytes(b"old")
    before, seen = os.stat(path), []

    def read(item):
        seen.append(path.read_bytes())
        if len(seen) == 1:
            if how == "replaced":
                (tmp_path / "y.png").write_bytes(b"new")
                os.replace(tmp_path / "y.png", path)
            else:
                path.write_bytes(b"new")
            if how.endswith("time"):
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return seen[-1]

    assert InputDigests().read({"image": path}, read) == (b"new", _expected(b"new"))
    assert seen == [b"old", b"new"]


def test_a_file_that_never_rests_is_refused(tmp_path: Path):
    path = tmp_path / "x.png"
    path.write_bytes(b"0")

    def read(item):
        with open(path, "ab") as file:
            file.write(b"more")

    with pytest.raises(ImageReadError, match="was changed while it was read"):
        InputDigests().read({"image": path}, read)


def test_a_file_with_many_frames_is_hashed_once(tmp_path: Path, monkeypatch):
    path, calls, digests = _picture(tmp_path / "x.png"), [], InputDigests()
    known = input_digest.stream_digest
    monkeypatch.setattr(input_digest, "stream_digest", lambda *given: calls.append(1) or known(*given))
    first, second = (digests.read({"image": path, "frame": frame}, len)[1] for frame in (0, 1))
    assert first == second == _expected(path.read_bytes()) and len(calls) == 1
    content = _picture(path, seed=1).read_bytes()
    assert digests.read({"image": path}, len)[1] == _expected(content) != first and len(calls) == 2
