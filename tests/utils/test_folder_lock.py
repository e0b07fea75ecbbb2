# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import errno
import os

import filelock
import pytest

from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.folder_lock import LOCK_NAME, FolderLock
from tests.helpers.other_runs import another_run


def test_another_process_is_refused_by_name_until_it_is_killed(tmp_path):
    folder = tmp_path / "out"
    with another_run(folder) as process:
        with pytest.raises(ConfigError, match=rf"writing into '{folder}': wait .*, or name another ckpt_dir\.$"):
            FolderLock({"ckpt_dir": folder}).acquire()
        (tmp_path / "link").symlink_to(folder)
        with pytest.raises(ConfigError, match="another run"):
            FolderLock({"ckpt_dir": tmp_path / "link"}).acquire()
        process.kill()
        process.wait()
        assert os.listdir(folder) == [LOCK_NAME]  # nobody was left to remove it
        with FolderLock({"ckpt_dir": folder}):
            pass
    assert os.listdir(folder) == []


def test_all_folders_are_taken_or_none(tmp_path):
    with another_run(tmp_path / "models"), pytest.raises(ConfigError, match="ckpt_dir"):
        FolderLock({"output_dir": tmp_path / "out", "ckpt_dir": tmp_path / "models"}).acquire()
    assert not (tmp_path / "out").exists()
    with another_run(tmp_path / "out"):
        pass


def test_runs_of_one_process_do_not_refuse_each_other(tmp_path):
    with FolderLock({"output_dir": tmp_path, "ckpt_dir": tmp_path}):
        with FolderLock({"output_dir": tmp_path}):
            pass
        assert (tmp_path / LOCK_NAME).exists()
    assert os.listdir(tmp_path) == []
    with another_run(tmp_path):
        pass


def test_what_is_released_leaves_what_others_wrote(tmp_path):
    with FolderLock({"output_dir": tmp_path / "a" / "b", "ckpt_dir": tmp_path / "a" / "c"}):
        (tmp_path / "a" / "b" / "records.jsonl").touch()
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "a",
        "a/b",
        "a/b/records.jsonl",
    ]


def test_a_lock_that_nobody_holds_any_more_is_released(tmp_path):
    lock = FolderLock({"output_dir": tmp_path})
    lock.acquire()
    del lock
    assert os.listdir(tmp_path) == []


def test_a_forked_worker_releases_nothing(tmp_path):
    lock = FolderLock({"output_dir": tmp_path})
    lock.acquire()
    child = os.fork()
    if child == 0:
        lock._finalizer()
        os._exit(0)
    os.waitpid(child, 0)
    assert os.listdir(tmp_path) == [LOCK_NAME]
    lock.release()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"output_dir: the folder '.*file/out' cannot be written \(Not a directory\)"):
        FolderLock({"output_dir": tmp_path / "file" / "out"}).acquire()


@pytest.mark.parametrize(("number", "known"), [(errno.ENOLCK, False), (errno.EROFS, True)])
def test_a_drive_without_locks_is_a_warning_and_one_to_read_only_an_error(tmp_path, monkeypatch, caplog, number, known):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(filelock.FileLock, "acquire", fail)
    if known:
        with pytest.raises(ConfigError, match="Read-only file system"):
            FolderLock({"output_dir": tmp_path}).acquire()
    else:
        FolderLock({"output_dir": tmp_path}).acquire()
        assert f"the file system of '{tmp_path}' knows no locks" in caplog.text
