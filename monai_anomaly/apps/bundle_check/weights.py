# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a file of weights would run: which of Python's functions its pickles ask for."""

from __future__ import annotations

import pickletools
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from monai_anomaly.apps.bundle_check.configurations import CONFIG_ENDINGS, MOST_BYTES, check_configs
from monai_anomaly.apps.bundle_check.finding import Finding, shown

__all__ = ["check_weights"]

_ALLOWED = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor|tensor_v2|parameter|qtensor)|torch Size|torch device|"
    r"torch (\w+Storage|(b?float|int|uint)\d+|bool|complex\d+)|torch\.storage (Untyped|Typed)Storage"
)
"""What ``torch.save`` writes for tensors and plain values; ``weights_only=True`` allows these, too."""

_SCRIPT = re.compile(r"__torch__\.[\w.]+ \w+|torch\.jit\._pickle \w+")
"""Classes of a TorchScript archive, which PyTorch's own interpreter makes, not Python."""

_CALLS = frozenset({"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"})
"""Opcodes that name or make a class in ways that ``torch.save`` does not."""

_MOST_PICKLE = 64 * 2**20


def check_weights(file: BinaryIO, name: str) -> Iterator[Finding]:
    """Look at a file of :func:`torch.save`, TorchScript or :func:`torch.export.save`; nothing in it is loaded.

    Args:
        file: open, at its start.
        name: its path in the bundle.
    """
    # PyTorch decides by the first bytes, zipfile by the last ones: a file can be a pickle and a zip at once
    if file.read(4) != b"PK\x03\x04":
        yield Finding(name, "", "it is no archive of torch.save's: it may be a bare pickle, which can run anything")
        return
    try:
        with zipfile.ZipFile(file) as archive:
            yield from _check_archive(archive, name)
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, RuntimeError, ValueError):
        yield Finding(name, "", "its archive is damaged or encrypted")


def _check_archive(archive: zipfile.ZipFile, name: str) -> Iterator[Finding]:
    members = archive.infolist()
    if twice := [n for n, count in Counter(member.filename for member in members).items() if count > 1]:
        yield Finding(name, shown(twice[0], 60), "it is there twice, so that two readers read two things")
    is_script = any("/code/" in member.filename for member in members)
    for member in members:
        kind, place = member.filename.lower().rpartition(".")[2], shown(member.filename, 60)
        if kind == "pkl":
            pickle = _read(archive, member, _MOST_PICKLE)
            yield from (Finding(name, place, problem) for problem in _pickle_problems(pickle, is_script))
        elif kind in ("pt", "pth"):
            with archive.open(member) as inner:
                yield from check_weights(inner, f"{name}/{place}")  # type: ignore[arg-type]
    inner_configs = [m for m in members if "/extra/" in m.filename and m.filename.lower().endswith(CONFIG_ENDINGS)]
    yield from check_configs({f"{name}/{shown(m.filename)}": _read(archive, m, MOST_BYTES + 1) for m in inner_configs})


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    with archive.open(member) as file:
        return file.read(most)


def _pickle_problems(data: bytes, is_script: bool) -> Iterator[str]:
    if len(data) >= _MOST_PICKLE:
        yield "its pickle is larger than one of weights"
        return
    asked: set[str] = set()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "GLOBAL":
                asked.add(str(argument))
            elif opcode.name in _CALLS and not (is_script and opcode.name == "NEWOBJ"):
                asked.add(f"a class by {opcode.name}")
    except Exception:  # pickletools raises whatever a damaged pickle makes it stumble over
        yield "its pickle is damaged"
    for function in sorted(asked):
        if not _ALLOWED.fullmatch(function) and not (is_script and _SCRIPT.fullmatch(function)):
            yield f"its pickle asks for {shown(function, 80)}, which is no tensor and no plain value"
