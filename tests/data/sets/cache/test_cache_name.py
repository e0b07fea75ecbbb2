# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from monai_anomaly import __version__
from monai_anomaly.data.sets.cache import cache_name as module
from monai_anomaly.data.sets.cache.cache_name import cache_name
from monai_anomaly.transforms.preprocessing import Preprocessing
from monai_anomaly.utils.exceptions import CacheError
from monai_anomaly.utils.identity import KEY_VARIABLE


@pytest.fixture
def items(tmp_path: Path) -> list[dict]:
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode())
    return [{"image": str(tmp_path / name), "label": 0} for name in "ab"]


def test_the_same_files_have_the_same_name_whatever_is_said_of_them(items, tmp_path):
    name = cache_name(items, Preprocessing(16))
    assert name.endswith(f"-{__version__}.images") and not any(part in name for part in tmp_path.parts[1:])
    assert cache_name([{**item, "label": 1, "group": "p", "index": 7} for item in items], Preprocessing(16)) == name
    assert cache_name([{**item, "image": Path(item["image"])} for item in items], Preprocessing(16)) == name


@pytest.mark.parametrize("change", ["bytes", "time", "gone", "frame", "order", "fewer", "another", "size", "intensity"])
def test_what_could_make_another_picture_makes_another_name(items, tmp_path, change):
    before, preprocessing = cache_name(items, Preprocessing(16)), Preprocessing(16)
    first = Path(items[0]["image"])
    if change == "bytes":
        state = first.stat()
        first.write_bytes(b"c")
        os.utime(first, ns=(state.st_atime_ns, state.st_mtime_ns))  # its old time, but not that of the change
    elif change == "time":
        os.utime(first, ns=(1, 1))
    elif change == "gone":
        first.unlink()
    elif change == "frame":
        items[0]["frame"] = 1
    elif change == "order":
        items.reverse()
    elif change == "fewer":
        items.pop()
    elif change == "another":
        items[1] = {"image": str(tmp_path / "a")}
    else:
        preprocessing = Preprocessing(17) if change == "size" else Preprocessing(16, intensity="zscore")
    assert cache_name(items, preprocessing) != before


@pytest.mark.parametrize("change", ["code_digest", "version", "VERSION", "key"])
def test_so_does_what_decodes(items, monkeypatch, tmp_path, change):
    before = cache_name(items, Preprocessing(16))
    if change == "key":
        (tmp_path / "key").write_text("another key of this site")
        monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "key"))
    else:
        monkeypatch.setattr(module, change, 2 if change == "VERSION" else lambda *given: "another")
    assert cache_name(items, Preprocessing(16)) != before


def test_what_cannot_be_known_again_is_refused(items):
    with pytest.raises(CacheError, match=r"pictures in memory.*cache=memory"):
        cache_name([{"image": np.zeros((1, 2, 2))}], Preprocessing(16))
    with pytest.raises(CacheError, match="function has no spec"):
        cache_name(items, lambda item: item)
