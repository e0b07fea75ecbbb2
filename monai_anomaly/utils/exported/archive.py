# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The zip archives of PyTorch: read without running anything of them, and written without what no reader needs."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable

from monai_anomaly.utils.seal import seal

__all__ = ["read_member", "rewritten", "safe_members"]

_MOST_UNPACKED = 64 * 2**20
"""Bytes of what is packed; tensors are not."""


def safe_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the members by their names below the archive's one folder.

    Raises:
        ValueError: for what PyTorch does not write: members that are a bomb, that are there twice, so that two readers
            read two things, or outside of the folder.
    """
    members = archive.infolist()
    roots = {member.filename.partition("/")[0] for member in members}
    if len(roots) != 1:
        raise ValueError("it has not one folder")
    if sum(member.file_size for member in members if member.compress_type != zipfile.ZIP_STORED) > _MOST_UNPACKED:
        raise ValueError("its members are too large")
    found = {member.filename.partition("/")[2]: member for member in members}
    if max(Counter(member.filename for member in members).values()) > 1:
        raise ValueError("a member is there twice")
    return found


def read_member(data: io.BytesIO, name: str) -> bytes | None:
    """Return a member of an archive; None where it is not there.

    Raises:
        ValueError: for what PyTorch does not write.
        zipfile.BadZipFile: for what is no archive.
    """
    with zipfile.ZipFile(data) as archive:
        member = safe_members(archive).get(name)
        return None if member is None else archive.read(member)


def rewritten(data: bytes, root: str, keep: Callable[[str], bool]) -> bytes:
    """Return an archive with another folder's name and without some members, sealed; equal for equal contents.

    Args:
        data: the archive.
        root: the folder's name.
        keep: says of a member, by its name below the folder, whether it stays.
    """
    new = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(new, "w") as archive:
        for name, member in safe_members(old).items():
            if keep(name):
                archive.writestr(zipfile.ZipInfo(f"{root}/{name}"), old.read(member))
    seal(new)
    return new.getvalue()
