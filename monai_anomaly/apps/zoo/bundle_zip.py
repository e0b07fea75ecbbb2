# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The archive of a bundle that MONAI's model zoo hosts: ``NAME_vVERSION.zip`` with one folder ``NAME``."""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from monai_anomaly.apps.bundle_check.check_bundle import check_bundle
from monai_anomaly.apps.bundle_check.finding import Finding
from monai_anomaly.apps.zoo.rules import LARGE, zoo_findings
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["bundle_files", "large_files", "model_info", "zip_bundle"]

_BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip archive knows."""


def bundle_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a bundle that travel, by their paths in it: license, configurations and documents.

    What its runs made, such as ``models`` and ``output``, and hidden files stay where they are.

    Raises:
        ConfigError: for a file that cannot be read.
    """
    paths = [folder / "LICENSE", *(path for part in ("configs", "docs") for path in (folder / part).rglob("*"))]
    names = {path.relative_to(folder).as_posix(): path for path in paths if path.is_file()}
    try:
        return {
            name: path.read_bytes()
            for name, path in sorted(names.items())
            if not any(p[0] == "." for p in name.split("/"))
        }
    except OSError as error:
        raise ConfigError(f"'{error.filename}' cannot be read ({error.strerror}).") from None


def zip_bundle(name: str, files: Mapping[str, bytes], folders: tuple[Path, ...] = ()) -> bytes:
    """Return the archive of a bundle; equal files make equal bytes, on any machine.

    Args:
        name: the bundle's name, and that of the archive's folder.
        files: what it holds, by their paths in the bundle.
        folders: of this machine, which no file may name.

    Raises:
        ConfigError: for a bundle that the zoo would refuse, or that holds what somebody else should not run.
    """
    findings = [*zoo_findings(name, files), *_private(files, folders)]
    data = _packed(name, files)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bundle.zip")
        path.write_bytes(data)
        findings += check_bundle(path)[1]
    if findings:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        raise ConfigError(f"the bundle '{name}' is not packed: {findings[0]}{more}.")
    return data


def model_info(name: str, version: str, data: bytes, url: str) -> dict[str, Any]:
    """Return the archive's entry in the zoo's ``models/model_info.json``.

    Args:
        name: the bundle's.
        version: the bundle's.
        data: the archive.
        url: where it can be downloaded.
    """
    return {f"{name}_v{version}": {"checksum": hashlib.sha1(data).hexdigest(), "source": url}}


def large_files(files: Mapping[str, bytes]) -> str:
    """Return the ``large_files.yml`` of a pull request to the zoo; empty where every file is small enough for it.

    The pull request leaves these files out; who makes it writes where they can be downloaded.
    """
    entry = '  - path: "{}"\n    url: ""\n    hash_val: "{}"\n    hash_type: "sha256"\n'
    large = {name: data for name, data in sorted(files.items()) if len(data) > LARGE}
    lines = [entry.format(name, hashlib.sha256(data).hexdigest()) for name, data in large.items()]
    return "".join(["large_files:\n", *lines]) if lines else ""


def _packed(name: str, files: Mapping[str, bytes]) -> bytes:
    """Return an archive whose members are stored as they are: packed ones depend on the version of zlib."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path, data in sorted(files.items()):
            member = zipfile.ZipInfo(f"{name}/{path}", _BEGINNING)
            member.create_system, member.external_attr = 3, 0o100644 << 16  # a plain file of Unix, wherever it is made
            archive.writestr(member, data)
    return file.getvalue()


def _private(files: Mapping[str, bytes], folders: tuple[Path, ...]) -> Iterator[Finding]:
    for folder in dict.fromkeys(str(path.resolve()) for path in folders if len(path.resolve().parts) > 1):
        for name, data in files.items():
            if folder.encode() in data:
                yield Finding(name, "", "it names a folder of this machine")
