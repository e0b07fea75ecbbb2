# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A bundle's zip archive as a folder, when it holds nothing that could land elsewhere or fill the disk."""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from monai_anomaly.apps.bundle_check.finding import Finding, shown

__all__ = ["unpack"]

_MOST_MEMBERS = 10_000
_MOST_BYTES = 8 * 2**30
_HIGHEST_RATIO = 200  # of unpacked to packed; text and weights stay below 50
_SMALL = 10 * 2**20  # bytes that are no bomb at any ratio


def unpack(path: Path, folder: Path) -> list[Finding]:
    """Unpack an archive, unless something is wrong with it.

    Args:
        path: the archive.
        folder: an empty folder.

    Returns:
        why it was not unpacked; empty when it was.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            findings = list(_problems(archive.infolist()))
            if not findings:
                _extract(archive, folder)
            return findings
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError):
        return [Finding(shown(path.name), "", "the archive is damaged or encrypted")]


def _problems(members: list[zipfile.ZipInfo]) -> Iterator[Finding]:
    if len(members) > _MOST_MEMBERS:
        yield Finding("the archive", "", f"it has more than {_MOST_MEMBERS} members")
        return
    if sum(member.file_size for member in members) > _MOST_BYTES:
        yield Finding("the archive", "", f"it unpacks to more than {_MOST_BYTES // 2**30} GiB")
    names = Counter(member.filename.rstrip("/").casefold() for member in members)
    for member in members:
        if problem := _member_problem(member, names):
            yield Finding(shown(member.filename), "", problem)


def _member_problem(member: zipfile.ZipInfo, names: Counter[str]) -> str:
    name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
    if "\\" in name or PureWindowsPath(name).anchor or PurePosixPath(name).is_absolute() or ".." in name.split("/"):
        return "its name leads out of the folder"
    if not name.isprintable():
        return "its name has characters that no name has"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it is a link or a device"
    if names[name.rstrip("/").casefold()] > 1:
        return "it is there twice, so that two readers read two things"
    if member.flag_bits & 1:
        return "it is encrypted"
    if member.file_size > max(_SMALL, _HIGHEST_RATIO * member.compress_size):
        return f"it unpacks to more than {_HIGHEST_RATIO} times its size"
    return ""


def _extract(archive: zipfile.ZipFile, folder: Path) -> None:
    for member in archive.infolist():
        target = folder.joinpath(*PurePosixPath(member.filename).parts)
        if member.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, open(target, "xb") as copy:
            shutil.copyfileobj(source, copy)  # zipfile gives no more than the size that was looked at
