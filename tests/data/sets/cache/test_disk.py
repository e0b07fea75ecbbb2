# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import builtins
import errno
import os
import pickle
import signal
import stat
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import DataLoader
from PIL import Image

from monai_anomaly.data.errors import DataListError, ImageReadError
from monai_anomaly.data.sets.cache import disk
from monai_anomaly.data.sets.cache.cache_file import CacheFile, CacheWriter
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.transforms.preprocessing import Preprocessing
from monai_anomaly.utils.exceptions import CacheError
from tests.helpers.processes import FreshProcess

COUNT, SIDE = 6, 32
CACHES = ("memory", "disk", "none")


def make_items(folder: Path, kind: str = "uint8", side: int = SIDE) -> list[dict]:
    """Files of 8, of 16 bits, or of 8 bits and another size than the network's."""
    folder.mkdir()
    rng, items = np.random.default_rng(0), []
    for number in range(COUNT):
        values = rng.integers(0, 65536, (side, side), dtype=np.uint16)
        Image.fromarray(values if kind == "uint16" else (values >> 8).astype(np.uint8)).save(folder / f"{number}.png")
        name = f"{number}.png"
        items.append({"image": str(folder / name), "name": name, "label": number % 2, "group": "g", "index": number})
    return items


@pytest.fixture
def items(tmp_path: Path) -> list[dict]:
    return make_items(tmp_path / "data")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def load(items: list[dict], folder: Path, cache: str = "disk", **options) -> CachedDataset:
    preprocessing = Preprocessing(SIDE, intensity="zscore")
    return CachedDataset(items, preprocessing, progress=False, cache=cache, cache_dir=folder, **options)


def the_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def assert_equal(one: CachedDataset, other: CachedDataset) -> None:
    assert one.items == other.items and one.origins == other.origins and one.groups == other.groups
    assert one.pixel_hashes == other.pixel_hashes and one.duplicates == other.duplicates
    assert one.quarantined == other.quarantined and torch.equal(one.images[:], other.images[:])


@pytest.mark.parametrize(
    ("kind", "side", "bytes_each"), [("uint8", SIDE, 1), ("uint16", SIDE, 2), ("uint8", SIDE + 8, 4)]
)
def test_images_are_the_transform_s_wherever_they_are_kept(tmp_path, folder, kind, side, bytes_each):
    items = make_items(tmp_path / "data", kind, side)
    expected = torch.stack([Preprocessing(SIDE, intensity="zscore")(item)["image"] for item in items])
    data = {cache: load(items, folder, cache) for cache in CACHES}
    for dataset in [*data.values(), load(items, folder)]:
        assert torch.equal(dataset.images[:], expected)
        assert_equal(dataset, data["memory"])
    pixels = COUNT * SIDE * SIDE * bytes_each
    assert pixels < the_file(folder).stat().st_size < pixels + 1500 * COUNT
    assert sum(record.nbytes for record, _ in data["memory"].images._pictures._records) == pixels


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("cache", CACHES)
def test_batches_are_those_of_memory_in_any_process(items, folder, cache, workers):
    expected = list(DataLoader(load(items, folder, "memory"), batch_size=4))
    batches = list(DataLoader(load(items, folder, cache), batch_size=4, num_workers=workers))
    for one, other in zip(batches, expected, strict=True):
        assert one.keys() == other.keys() and torch.equal(one["image"], other["image"])
        assert one["row"].tolist() == other["row"].tolist() and one["name"] == other["name"]


def test_a_copy_for_another_process_reads_the_same(items, folder):
    dataset = load(items, folder)
    assert torch.equal(pickle.loads(pickle.dumps(dataset)).images[:], dataset.images[:])


def test_a_warm_start_opens_no_source(items, folder, monkeypatch):
    load(items, folder)
    sources, opened = {item["image"] for item in items}, []
    known = builtins.open

    def watched(file, *given, **more):
        opened.append(str(file))
        return known(file, *given, **more)

    monkeypatch.setattr(builtins, "open", watched)
    monkeypatch.setattr(Preprocessing, "prepare", lambda *given: pytest.fail("a source was decoded"))
    dataset = load(items, folder)
    assert len(dataset.images[:]) == COUNT and opened and not sources & set(opened)


def test_labels_and_names_are_those_of_the_list_and_in_no_file(items, folder):
    secret = [{**item, "name": "Mustermann.png", "group": "Erika"} for item in items]
    load(secret, folder)
    content = the_file(folder).read_bytes()
    assert not any(word.encode() in content for word in ("Mustermann", "Erika", *Path(items[0]["image"]).parts[-2:]))
    warm = load([{**item, "label": 1} for item in items], folder)
    assert [item["label"] for item in warm.items] == [1] * COUNT and warm.items[0]["name"] == "0.png"


def test_only_this_user_may_read_it(items, folder):
    load(items, folder)
    assert stat.S_IMODE(the_file(folder).stat().st_mode) == 0o600 and stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_changed_source_makes_another_file_and_the_old_one_stays(items, folder):
    before = load(items, folder)
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(items[2]["image"])
    after = load(items, folder)
    assert len(list(folder.iterdir())) == 2
    changed = [not torch.equal(one, other) for one, other in zip(before.images, after.images, strict=True)]
    assert changed == [False, False, True, False, False, False]


def test_without_a_cache_a_source_that_changes_ends_the_training(items, folder):
    dataset = load(items, folder, "none")
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(items[2]["image"])
    dataset[1]
    with pytest.raises(ImageReadError, match="changed during the training"):
        dataset[2]


@pytest.mark.parametrize("on_bad", ["quarantine", "raise"])
def test_a_file_that_cannot_be_read_is_told_of_at_every_start(items, folder, tmp_path, on_bad):
    Path(items[3]["image"]).write_bytes(b"")
    rules = {"on_bad": "quarantine", "max_bad_share": 0.5, "quarantine_path": tmp_path / "bad.jsonl"}
    cold = load(items, folder, **rules)
    listed = (tmp_path / "bad.jsonl").read_text()
    (tmp_path / "bad.jsonl").unlink()
    assert len(cold) == COUNT - 1 and cold.quarantined[0]["index"] == 3
    if on_bad == "raise":
        with pytest.raises(ImageReadError, match=r"entry 3 \(3\.png\): the file is empty"):
            load(items, folder)
        with pytest.raises(DataListError, match=r"max_bad_share=0\.1"):
            load(items, folder, **{**rules, "max_bad_share": 0.1})
        return
    assert_equal(load(items, folder, **rules), cold)
    assert (tmp_path / "bad.jsonl").read_text() == listed
    assert_equal(load(items, folder, "memory", **rules), cold)


def test_a_file_that_ends_the_start_leaves_no_cache(items, folder):
    Path(items[3]["image"]).write_bytes(b"")
    with pytest.raises(ImageReadError):
        load(items, folder)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("damage", ["cut", "empty", "picture", "index", "end", "longer"])
def test_damage_is_told_with_its_cure(items, folder, damage):
    load(items, folder)
    path = the_file(folder)
    content = bytearray(path.read_bytes())
    if damage in ("cut", "empty"):
        del content[-1 if damage == "cut" else 0 :]
    elif damage == "longer":
        content += b"\0"
    else:
        content[{"picture": 2 * SIDE * SIDE, "index": -100, "end": -64}[damage]] ^= 1
    path.write_bytes(content)
    with pytest.raises(CacheError, match=r"damaged \(.*\); remove it, and it is made anew"):
        load(items, folder)[2]


def test_a_cache_that_is_cut_off_while_it_is_read(items, folder):
    dataset = load(items, folder)
    os.truncate(the_file(folder), 100)
    with pytest.raises(CacheError, match="cut off"):
        dataset[3]


@pytest.mark.parametrize("bound", ["disk", "key"])
def test_too_little_room_is_said_before_anything_is_written(items, folder, monkeypatch, bound):
    needed = COUNT * SIDE * SIDE
    usage = namedtuple("usage", "total used free")
    more: dict = {}
    if bound == "disk":
        monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: usage(10**9, 10**9, needed - 1))
    else:
        more["cache_gib"] = (needed - 1) / 2**30
    monkeypatch.setattr(CacheWriter, "add", lambda *given: pytest.fail("a picture was written"))
    with pytest.raises(CacheError, match=r"need 0\.00 GiB.*make room, name another cache_dir"):
        load(items, folder, **more)
    assert not list(folder.iterdir())
    monkeypatch.undo()
    assert len(load(items, folder, cache_gib=needed / 2**30)) == COUNT


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_a_bound_holds_also_where_later_pictures_take_more_than_the_first(tmp_path, folder, cache):
    items = [make_items(tmp_path / "small")[0], *make_items(tmp_path / "large", side=SIDE + 8)]
    allowed = {"cache_gib": 2 * COUNT * SIDE * SIDE / 2**30}
    with pytest.raises((CacheError, ValueError), match="cache_gib"):
        load(items, folder, cache, **allowed)
    assert not folder.exists() or not list(folder.iterdir())


def test_a_disk_that_is_full_after_all(items, folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(CacheWriter, "finish", full)
    with pytest.raises(CacheError, match=r"cannot be written \(No space left on device\); make room"):
        load(items, folder)
    assert not list(folder.iterdir())


def test_a_folder_that_may_not_be_written(items, folder, monkeypatch):
    known = os.open

    def refusing(path, flags, *given, **more):
        if flags & os.O_CREAT and str(path).startswith(str(folder)):
            raise PermissionError(errno.EACCES, "Permission denied")
        return known(path, flags, *given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refusing)
        with pytest.raises(CacheError, match=r"cannot be written \(Permission denied\); grant permission"):
            load(items, folder)
    load(items, folder)
    monkeypatch.setattr(os, "open", refusing)  # a cache that is there needs no permission to write
    assert len(load(items, folder)) == COUNT


def _write_slowly(items: list[dict], folder: Path) -> None:
    known = CacheWriter.add

    def slow(self: CacheWriter, picture: np.ndarray) -> None:
        known(self, picture)
        self._stream.flush()
        (folder.parent / "begun").touch()
        time.sleep(600)

    CacheWriter.add = slow
    load(items, folder)


def test_a_process_that_is_killed_while_it_writes_leaves_nothing_that_counts(items, folder):
    process = FreshProcess(_write_slowly, items, folder)
    while not (folder.parent / "begun").exists():
        time.sleep(0.05)
    assert [path.name for path in folder.iterdir() if ".tmp-" in path.name]
    os.kill(process._process.pid, signal.SIGKILL)
    process.wait()
    dataset = load(items, folder)
    assert_equal(dataset, load(items, folder, "memory"))
    assert len(list(folder.iterdir())) == 1


def _make(items: list[dict], folder: Path) -> None:
    torch.save(load(items, folder).images[:], folder.parent / f"{os.getpid()}.pt")


def test_of_two_processes_one_makes_it_and_both_have_it(items, folder, tmp_path):
    processes = [FreshProcess(_make, items, folder) for _ in range(2)]
    assert all(process.wait().returncode == 0 for process in processes)
    first, second = (torch.load(path, weights_only=True) for path in tmp_path.glob("*.pt"))
    assert torch.equal(first, second) and torch.equal(first, load(items, folder, "memory").images[:])
    assert len(list(folder.iterdir())) == 1


def test_who_waited_for_another_finds_what_that_one_made(items, folder, monkeypatch):
    load(items, folder)
    path = the_file(folder)
    known, asked = Path.is_file, []

    def late(self: Path) -> bool:
        asked.append(self)
        return known(self) and len(asked) > 1  # not there yet when it was looked for first

    monkeypatch.setattr(Path, "is_file", late)
    found, made = disk.open_or_make(path, lambda keep: pytest.fail("it was made again"), COUNT)
    assert isinstance(found, CacheFile) and not made


def test_the_folder_of_the_package_is_the_default(items, tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ANOMALY_CACHE", str(tmp_path / "package"))
    CachedDataset(items, Preprocessing(SIDE), progress=False, cache="disk")
    assert the_file(tmp_path / "package" / "images").suffix == ".images"


@pytest.mark.parametrize(
    ("options", "match"), [({"cache": "ram"}, "one of memory, disk"), ({"cache_gib": 0}, "above 0")]
)
def test_wrong_words(items, folder, options, match):
    with pytest.raises(ValueError, match=match):
        CachedDataset(items, Preprocessing(SIDE), progress=False, cache_dir=folder, **options)
