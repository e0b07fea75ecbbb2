# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a .pt2 file would run when it is opened, checked before it is.

``torch.export.load`` evaluates expressions of sizes as Python, falls back to an unrestricted pickle, and calls whatever
functions of PyTorch the graph names. So only what the export of a detector holds is let through: operators of tensors,
sizes that are counted, and tensors without pickle.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import torch

from monai_anomaly.utils.exported.archive import safe_members

__all__ = ["check_program"]

_MEMBER = re.compile(
    r"data/(weights|constants)/(\w+|model_(weights|constants)_config\.json)|data/sample_inputs/model\.pt|"
    r"models/model\.json|extra/[\w.]+\.json|archive_format|archive_version|byteorder|\.data/\w+"
)
"""No library of compiled code, which PyTorch would load, and no object that is no tensor."""
_TARGET = re.compile(
    r"torch\.ops\.aten\.(?!(from_file|save)\b)\w+\.\w+|_operator\.(add|sub|mul|floordiv|mod|neg|ge|gt|le|lt|eq|ne)|"
    r"torch\.sym_(min|max|not|float|int)|torch\.ops\.higher_order\.wrap_with_(autocast|set_grad_enabled)"
)
_SIZE = re.compile(r"[\w(), +*='-]*")
_SIZE_NAMES = re.compile(r"Add|Mul|Integer|Symbol|FloorDiv|Mod|True|positive|integer|s\d+")
_NAME = re.compile(r"[\w.+-]*")
_TREE = re.compile(r'(?:"(?:type|context|children_spec|builtins\.(?:tuple|list|dict)|null|\[\])"|null|[][{}:, \d])*')
_PATTERNS = {"target": _TARGET, "expr_str": _SIZE, "in_spec": _TREE, "out_spec": _TREE}


def check_program(data: io.BytesIO) -> None:
    """Refuse a file of ``torch.export.save`` that holds more than a detector does.

    Raises:
        ValueError: saying what it holds.
        zipfile.BadZipFile: for what is no archive.
    """
    with zipfile.ZipFile(data) as archive:
        members = safe_members(archive)
        if not all(map(_MEMBER.fullmatch, members)):
            raise ValueError("a member that no detector has")
        for name in members:
            content = archive.read(members[name]) if name.endswith(("_config.json", "model.json", "model.pt")) else b""
            if name.endswith("_config.json") and '"use_pickle": true' in json.dumps(json.loads(content)):
                raise ValueError("a pickle where tensors are")
            if name == "models/model.json":
                _check_graph(json.loads(content))
            if name.endswith("model.pt"):  # what fails here would be loaded without the restriction
                torch.load(io.BytesIO(content), weights_only=True)


def _check_graph(program: dict[str, Any]) -> None:
    if program.get("guards_code"):
        raise ValueError("code")
    for key, text in _texts(program):
        if not _PATTERNS.get(key, _NAME).fullmatch(text):
            raise ValueError(f"a {key} that no detector has")
        if key == "expr_str" and not all(map(_SIZE_NAMES.fullmatch, re.findall(r"[^\W\d]\w*", text))):
            raise ValueError("a size that is no number")


def _texts(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of a graph with the name that it is under; names themselves, too."""
    if isinstance(node, dict):
        for name, inner in node.items():
            yield "name", name
            yield from _texts(inner, name)
    elif isinstance(node, list):
        for inner in node:
            yield from _texts(inner, key)
    elif isinstance(node, str):
        yield key, node
