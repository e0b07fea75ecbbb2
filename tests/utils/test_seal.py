# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest
import torch

from monai_anomaly.utils.seal import check_seal, seal


@pytest.fixture(scope="module")
def sealed(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sealed") / "model.pt"
    with open(path, "w+b") as file:
        torch.save({"weight": torch.arange(5.0)}, file)
        seal(file)
    return path


def told(path: Path, data: bytes) -> bool | None:
    path.write_bytes(data)
    with open(path, "rb") as file:
        return check_seal(file)[0]


def test_a_sealed_file_is_what_others_read(sealed):
    for mapped in (False, True):
        assert torch.equal(torch.load(sealed, weights_only=True, mmap=mapped)["weight"], torch.arange(5.0))
    with zipfile.ZipFile(sealed) as archive:
        assert archive.testzip() is None and archive.comment.startswith(b"monai_anomaly sha256 ")
    with open(sealed, "rb") as file:
        assert check_seal(file) == (True, hashlib.sha256(sealed.read_bytes()).hexdigest())


def test_every_bit_counts(sealed, tmp_path):
    data = sealed.read_bytes()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        assert told(tmp_path / "x.pt", flipped) is False, place


@pytest.mark.parametrize("left", [0, 1, 21, 22, 85, 86, 300])
def test_a_file_that_was_cut_short_is_not_an_unsealed_one(sealed, tmp_path, left):
    data = sealed.read_bytes()
    assert told(tmp_path / "x.pt", data[: len(data) - left] if left else b"") is False
    assert told(tmp_path / "x.pt", data[:left]) is False
    assert told(tmp_path / "x.pt", data + b"\0" * (left + 1)) is False


def test_a_file_that_nobody_sealed_is_told_apart(tmp_path):
    torch.save({"weight": torch.ones(3)}, tmp_path / "plain.pt")
    assert told(tmp_path / "x.pt", (tmp_path / "plain.pt").read_bytes()) is None
