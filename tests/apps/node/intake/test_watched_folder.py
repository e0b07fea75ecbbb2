# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A watched folder with files that are not done, not readable, no files, too large, and a folder that vanishes."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from sqlalchemy import select

from monai_anomaly.apps.node.configuration.sections import DetectorSettings, NodeSettings, WatchSettings
from monai_anomaly.apps.node.custody import Custody
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.tables import Instance, Job
from monai_anomaly.apps.node.intake import watched_folder
from monai_anomaly.apps.node.intake.run_receiver import run_receiver
from monai_anomaly.apps.node.intake.watched_folder import WatchedFolder
from monai_anomaly.apps.node.spool import Spool
from monai_anomaly.apps.node.stopping import Stopping
from tests.apps.node.database.rows import add_detector

SAMPLE = Path(str(get_testdata_file("examples_rgb_color.dcm", download=False)))
OTHER = Path(str(get_testdata_file("examples_ybr_color.dcm", download=False)))


class Setting:
    """A folder, what takes its files, and what was refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "in"
        self.folder.mkdir()
        self.database, self.spool = Database(f"sqlite:///{folder / 'node.db'}"), Spool(folder)
        self.custody = Custody(self.database, self.spool, add_detector(self.database))
        self.refused: list[str] = []
        self.watched = self.watch()

    def watch(self, max_bytes: int = 1 << 30) -> WatchedFolder:
        return WatchedFolder(
            *(self.folder, self.spool.incoming, self.custody, lambda origin, code: self.refused.append(code)),
            settle_seconds=2.0,
            max_bytes=max_bytes,
        )

    def put(self, name: str, source: Path = SAMPLE, *, age: float = 60.0) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, path)
        os.utime(path, (time.time() - age,) * 2)
        return path

    def instances(self) -> list[Instance]:
        with self.database.read() as session:
            return list(session.scalars(select(Instance)))


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


@pytest.fixture(autouse=True)
def nothing_half_is_left(setting: Setting) -> object:
    yield
    assert list(setting.spool.incoming.iterdir()) == []


def test_files_in_folders_are_taken_whole_and_removed(setting: Setting) -> None:
    paths = [setting.put("a.dcm"), setting.put("b/c/without a suffix", OTHER)]
    assert setting.watched.look() == 2
    kept = setting.instances()
    assert {setting.spool.path(one.path or "").read_bytes() for one in kept} == {
        SAMPLE.read_bytes(),
        OTHER.read_bytes(),
    }
    assert {one.origin for one in kept} == {"folder"}
    assert not any(path.exists() for path in paths)
    assert setting.refused == []


def test_the_same_bytes_twice_are_one_instance_and_both_files_go(setting: Setting) -> None:
    paths = [setting.put("a.dcm"), setting.put("b.dcm")]
    assert setting.watched.look() == 2
    (one,) = setting.instances()
    assert one.copies == 1
    with setting.database.read() as session:
        assert len(session.scalars(select(Job)).all()) == 1
    assert not any(path.exists() for path in paths)


@pytest.mark.parametrize(("age", "taken"), [(0.0, 0), (60.0, 1), (-3600.0, 1)], ids=["new", "settled", "of tomorrow"])
def test_a_file_that_changed_a_moment_ago_waits(setting: Setting, age: float, taken: int) -> None:
    path = setting.put("a.dcm", age=age)
    assert setting.watched.look() == taken
    assert path.exists() == (not taken)


def test_a_file_that_is_written_while_it_is_copied_is_taken_when_it_is_whole(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = SAMPLE.read_bytes()
    path = setting.folder / "a.dcm"
    path.write_bytes(content[:200_000])
    os.utime(path, (0, 0))
    real = setting.watched._stamp
    asked: list[object] = []

    def stamp(source: object) -> object:
        if asked:  # its writer goes on after the copy
            path.write_bytes(content)
        asked.append(source)
        return real(source)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(setting.watched, "_stamp", stamp)
        assert setting.watched.look() == 0
    assert setting.instances() == [] and path.read_bytes() == content
    os.utime(path, (0, 0))
    assert setting.watched.look() == 1


def test_what_is_no_file_or_not_done_is_left(setting: Setting) -> None:
    outside = setting.folder.parent / "outside"
    outside.mkdir()
    shutil.copy(SAMPLE, outside / "a.dcm")
    (setting.folder / "link.dcm").symlink_to(outside / "a.dcm")
    (setting.folder / "folder").symlink_to(outside)
    (setting.folder / "nowhere").symlink_to(outside / "nothing")
    os.mkfifo(setting.folder / "pipe")
    setting.put(".a.dcm.part")
    setting.put(".hidden/a.dcm")
    before = sorted(path.name for path in setting.folder.iterdir())
    assert setting.watched.look() == 0
    assert sorted(path.name for path in setting.folder.iterdir()) == before
    assert (outside / "a.dcm").exists() and setting.refused == []


def test_a_link_that_takes_a_files_place_is_not_followed(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = setting.put("a.dcm"), os.open

    def swapped(name: object, *arguments: int) -> int:
        if name == path and not path.is_symlink():
            path.unlink()
            path.symlink_to(SAMPLE)
        return real(name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", swapped)
    assert setting.watched.look() == 0
    assert setting.instances() == [] and setting.refused == []


@pytest.mark.parametrize(
    ("content", "code"), [(b"", "not_dicom"), (b"garbage" * 1000, "not_dicom"), (None, "too_large")]
)
def test_what_is_never_taken_is_put_aside_under_its_name(setting: Setting, content: bytes | None, code: str) -> None:
    long = "ü" * 120 + ".dcm"
    watched = setting.watch(max_bytes=10_000)
    for _ in range(3):
        path = setting.put(long)
        if content is not None:
            path.write_bytes(content)
            os.utime(path, (0, 0))
        assert watched.look() == 0
    aside = sorted((setting.folder / "refused").iterdir())
    assert len(aside) == 3 and long in [path.name for path in aside]
    assert setting.refused == [code] * 3
    assert [path for path in setting.folder.iterdir() if path.is_file()] == []
    assert watched.look() == 0 and setting.refused == [code] * 3  # not again


def test_its_end_does_not_wait_for_all_files(setting: Setting) -> None:
    setting.put("a.dcm")
    path = setting.put("b.dcm", OTHER)
    asked = iter([False, True])
    assert setting.watched.look(lambda: next(asked)) == 1
    assert path.exists()


def test_no_room_leaves_the_files(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [setting.put("a.dcm"), setting.put("b.dcm", OTHER)]
    setting.spool.min_free_bytes = 1 << 60
    assert setting.watched.look() == 0
    assert setting.refused == ["no_room"] and all(path.exists() for path in paths)
    setting.spool.min_free_bytes = 0

    def full(path: Path) -> object:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(setting.spool, "commit", full)
        assert setting.watched.look() == 0
    assert all(path.exists() for path in paths)
    assert setting.watched.look() == 2


def test_a_file_that_cannot_be_read_holds_up_no_other(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = setting.put("a.dcm"), os.open
    setting.put("b.dcm", OTHER)

    def forbidden(name: object, *arguments: int) -> int:
        if name == path:
            raise PermissionError(errno.EACCES, "no")
        return real(name, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", forbidden)
        assert (setting.watched.look(), setting.watched.look()) == (1, 0)
    assert setting.refused == ["unreadable"]  # once, not at every look
    monkeypatch.setattr(watched_folder, "AGAIN_SECONDS", 0.0)
    setting.watched._left.clear()  # a minute later
    assert setting.watched.look() == 1


def test_a_file_that_cannot_be_removed_is_taken_once(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = setting.put("a.dcm"), Path.unlink
    monkeypatch.setattr(watched_folder, "AGAIN_SECONDS", 0.0)

    def forbidden(self: Path, missing_ok: bool = False) -> None:
        if self == path:
            raise PermissionError(errno.EROFS, "no")
        real(self, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", forbidden)
        for _ in range(3):
            setting.watched.look()
    (one,) = setting.instances()
    assert one.copies == 0 and set(setting.refused) == {"not_removed"}
    setting.watched.look()
    assert not path.exists()
    setting.put("a.dcm")
    assert setting.watched.look() == 1  # another file under the name


def test_a_folder_that_vanishes_is_said_once_and_taken_up_again(
    setting: Setting, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("monai_anomaly.node"), "propagate", True)
    monkeypatch.setattr("monai_anomaly.apps.node.intake.run_receiver.LOOK_SECONDS", 0.02)
    settings = NodeSettings(
        folder=tmp_path, detector=DetectorSettings(checkpoint=tmp_path), watch=WatchSettings(folder=setting.folder)
    )
    reading, writing = multiprocessing.Pipe(duplex=False)
    hook = threading.excepthook
    thread = threading.Thread(target=run_receiver, args=(settings, 1, Stopping(reading)))
    thread.start()
    try:
        setting.put("a.dcm")
        assert until(lambda: len(setting.instances()) == 1)
        setting.folder.rename(tmp_path / "gone")
        assert until(lambda: "watched folder" in caplog.text)
        time.sleep(0.2)
        (tmp_path / "gone").rename(setting.folder)
        setting.put("b.dcm", OTHER)
        assert until(lambda: len(setting.instances()) == 2)
    finally:
        writing.close()
        thread.join(20)
        threading.excepthook = hook
    assert not thread.is_alive()
    assert caplog.text.count("the watched folder: No such file or directory") == 1


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()
