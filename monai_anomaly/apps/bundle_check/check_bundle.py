# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A whole bundle, file by file."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from monai_anomaly.apps.bundle_check.archive import unpack
from monai_anomaly.apps.bundle_check.configurations import CONFIG_ENDINGS, MOST_BYTES, check_configs
from monai_anomaly.apps.bundle_check.finding import Finding, shown
from monai_anomaly.apps.bundle_check.logging_file import check_logging
from monai_anomaly.apps.bundle_check.weights import check_weights
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["check_bundle"]

_LOGGING = (".conf", ".ini", ".cfg")
_WEIGHTS = (".pt", ".pth", ".ckpt", ".ts", ".pt2", ".bin")
_READ_BY_PEOPLE = ("", ".md", ".txt", ".rst", ".png", ".jpg", ".jpeg", ".csv", ".jsonl", ".onnx", ".safetensors")
_NAMES_WITHOUT_ENDING = ("license", "notice", "readme", "copying", "authors")

_MOST_FILES = 10_000


def check_bundle(path: str | os.PathLike[str]) -> tuple[int, list[Finding]]:
    """Look at a bundle without running, loading or evaluating anything of it.

    Args:
        path: its folder, or a zip archive of it.

    Returns:
        how many files were looked at, and what speaks against running it.

    Raises:
        ConfigError: when there is neither a folder nor a file.
    """
    source = Path(path).expanduser()
    if source.is_dir():
        return _check_folder(source)
    if not source.is_file():
        raise ConfigError(f"there is no bundle '{os.fspath(path)}'; name its folder or its zip archive.")
    with tempfile.TemporaryDirectory() as folder:
        findings = unpack(source, Path(folder))
        return (0, findings) if findings else _check_folder(Path(folder))


def _check_folder(folder: Path) -> tuple[int, list[Finding]]:
    findings: list[Finding] = []
    configurations: dict[str, bytes] = {}
    n_files = 0
    for n_files, path in enumerate(_files(folder), 1):
        if n_files > _MOST_FILES:
            return n_files, [*findings, Finding("the bundle", "", f"it has more than {_MOST_FILES} files")]
        name = path.relative_to(folder).as_posix()
        try:
            findings += _check_file(path, name, configurations)
        except OSError as error:
            findings.append(Finding(shown(name), "", f"it cannot be read ({error.strerror})"))
    if not configurations:
        findings.append(Finding("the bundle", "", "it has no configuration, so it is none"))
    return n_files, [*findings, *check_configs(configurations)]


def _files(folder: Path) -> Iterator[Path]:
    """Yield everything below a folder but folders, in the order of the names; links are not followed."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        else:
            yield path


def _check_file(path: Path, name: str, configurations: dict[str, bytes]) -> Iterator[Finding]:
    ending, file = path.suffix.lower(), shown(name)
    if not stat.S_ISREG(path.lstat().st_mode):
        yield Finding(file, "", "it is a link or a device")
    elif path.stem.lower() == "large_files":
        yield Finding(file, "", "it names files to download; a bundle for a hospital brings them along")
    elif ending in CONFIG_ENDINGS:
        configurations[file] = _head(path)
    elif ending in _LOGGING:
        yield from check_logging(_head(path), file)
    elif ending in _WEIGHTS:
        with open(path, "rb") as weights:
            yield from check_weights(weights, file)
    elif ending not in _READ_BY_PEOPLE or (not ending and path.name.lower() not in _NAMES_WITHOUT_ENDING):
        yield Finding(file, "", "it is no configuration, no weights and no text: a program could be in it")


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(MOST_BYTES + 1)
