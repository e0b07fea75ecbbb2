# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from monai_anomaly.utils.atomic import atomic_path, atomic_write, atomic_write_all


def _names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def _run(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(("data", "expected"), [(b"\x00\xff", b"\x00\xff"), ("a\r\nä", b"a\r\n\xc3\xa4"), ("", b"")])
def test_writes_exactly_these_bytes_over_what_was_there(tmp_path, data, expected):
    path = tmp_path / "file.bin"
    path.write_bytes(b"something longer than the new content")
    atomic_write(path, data)
    assert path.read_bytes() == expected
    assert _names(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "model.pt"
    atomic_write(path, b"good")
    with pytest.raises(error), atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"good"
    assert _names(tmp_path) == ["model.pt"]


def test_a_first_write_that_raises_leaves_an_empty_folder(tmp_path):
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "new"):
        raise RuntimeError
    assert _names(tmp_path) == []


def test_the_old_file_stays_readable_until_the_block_ends(tmp_path):
    path = tmp_path / "file"
    atomic_write(path, "old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path  # a rename across file systems would not be atomic
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_permissions_follow_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        atomic_write(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask


def test_a_long_name_still_fits(tmp_path):
    path = tmp_path / ("ä" * 120)
    atomic_write(path, b"x")
    assert path.read_bytes() == b"x"


@pytest.mark.skipif(os.name == "nt", reason="symbolic links")
def test_a_symbolic_link_keeps_pointing_at_its_target(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "file")
    atomic_write(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == b"x"


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "missing" / "file", b"x")


def test_the_data_is_synced_before_the_rename_and_the_folder_after(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor: int) -> None:
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def record_replace(source: str, target: str) -> None:
        events.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    atomic_write(tmp_path / "file", b"x")
    assert events == (["file", "rename"] if os.name == "nt" else ["file", "rename", "folder"])


@pytest.mark.skipif(os.name == "nt", reason="RLIMIT_FSIZE stands in for a full disk")
def test_a_full_disk_costs_nothing(tmp_path):
    path = tmp_path / "model.pt"
    atomic_write(path, b"good")
    done = _run(
        """
        import resource, signal, sys
        from monai_anomaly.utils.atomic import atomic_write
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then write() fails with an OSError, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        atomic_write(sys.argv[1], b"x" * 100_000)
        """,
        path,
    )
    assert done.returncode != 0 and "OSError" in done.stderr
    assert path.read_bytes() == b"good"
    assert _names(tmp_path) == ["model.pt"]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("when", ["temporary.write_bytes(b'half')", "os.replace = die"])
def test_a_kill_during_a_save_leaves_the_old_file(tmp_path, when):
    path = tmp_path / "model.pt"
    atomic_write(path, b"good")
    done = _run(
        f"""
        import os, signal, sys
        from monai_anomaly.utils.atomic import atomic_path
        def die(*args):
            os.kill(os.getpid(), signal.SIGKILL)
        with atomic_path(sys.argv[1]) as temporary:
            {when}
            if os.replace is not die:
                die()
        """,
        path,
    )
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"good"
    leftovers = [name for name in _names(tmp_path) if name != "model.pt"]
    assert all(name.startswith(".model.pt.tmp-") for name in leftovers) and len(leftovers) == 1


def test_several_files_are_written_and_earlier_ones_replaced(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    atomic_write_all(tmp_path, {"a": b"new", "b": b""})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"new", "b": b""}


def test_file_that_cannot_be_written_leaves_the_ones_before_it_whole(tmp_path):
    (tmp_path / "b").mkdir()
    with pytest.raises(OSError):
        atomic_write_all(tmp_path, {"a": b"whole", "b": b"a folder has this name"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"] and (tmp_path / "a").read_bytes() == b"whole"
