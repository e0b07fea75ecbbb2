# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a configuration would run, from its text alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import yaml

from monai_anomaly.apps.bundle_check.expressions import expression_problems, read_import, reference_problem
from monai_anomaly.apps.bundle_check.finding import Finding, shown
from monai_anomaly.apps.bundle_check.names import name_problem

__all__ = ["CONFIG_ENDINGS", "MOST_BYTES", "check_configs"]

_Value = tuple[str, str, Any]  # place, last key, value

CONFIG_ENDINGS = (".json", ".yaml", ".yml")
"""Of the files that MONAI reads as configurations."""

MOST_BYTES = 4 * 2**20
"""Of a configuration that is looked at."""

_MOST_VALUES = 100_000

_DEFAULT_NAMES = {"monai": "monai", "torch": "torch"}
"""What MONAI binds for every configuration; it also binds numpy, which reads and writes files."""

_UNSAFE = {"allow_pickle": True, "weights_only": False}
"""Arguments that let pickles run."""


def check_configs(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Look at the JSON and YAML files of a bundle, which may be merged into one; nothing in them is evaluated.

    Args:
        files: their contents, by their paths in the bundle.
    """
    read: dict[str, list[_Value]] = {}
    for file, data in files.items():
        try:
            read[file] = list(_walk(_read(data, file)))
        except ValueError as error:
            yield Finding(file, "", str(error))
    imports = dict(_DEFAULT_NAMES)
    for file, values in read.items():
        for place, name, meaning in _bindings(values):
            if imports.setdefault(name, meaning) != meaning:
                yield Finding(file, place, f"'{shown(name)}' is imported twice, as two things")
    for file, values in read.items():
        yield from (Finding(file, shown(v[0], 80), problem) for v in values for problem in _problems(*v, imports))


def _bindings(values: list[_Value]) -> Iterator[tuple[str, str, str]]:
    """Yield place, name and meaning of each import."""
    for place, _, value in values:
        if _is_import(place) and isinstance(value, str) and (bound := read_import(value[1:])):
            yield place, bound[0], bound[1]


def _read(data: bytes, file: str) -> Any:
    """Read a file's content.

    Raises:
        ValueError: saying in words why it cannot be read.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES // 2**20} MiB, which no configuration has")
    is_json = file.lower().endswith(".json")
    try:
        text = data.decode("utf-8")
        return json.loads(text) if is_json else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError, MemoryError):
        raise ValueError(f"it cannot be read as {'JSON' if is_json else 'YAML'}") from None


def _walk(value: Any) -> Iterator[_Value]:
    """Yield place, last key and value of everything in a configuration, keys too.

    Raises:
        ValueError: where it is larger than a configuration is, as YAML's aliases can make it.
    """
    waiting, n = [("", "", value)], 0
    while waiting:
        place, key, here = waiting.pop()
        n += 1
        if n > _MOST_VALUES or len(place) > 5_000:
            raise ValueError(f"it has more than {_MOST_VALUES} values, or is nested beyond reading")
        yield place, key, here
        inside = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
        waiting.extend((f"{place}#{k}" if place else str(k), str(k), v) for k, v in reversed(list(inside)))


def _is_import(place: str) -> bool:
    """Return whether MONAI evaluates a place before all others: ``imports``, or what an overlay adds to it."""
    return place.split("#")[0].lstrip("+") == "imports"


def _problems(place: str, key: str, value: Any, imports: dict[str, str]) -> Iterator[str]:
    if key == "_target_":
        yield from _target_problems(value)
    elif key == "_mode_" and value != "default":
        yield f"_mode_ is '{shown(value)}': MONAI would hand the function on, or start a debugger"
    elif key in _UNSAFE and value == _UNSAFE[key]:
        yield f"{key} is {str(value).lower()}, which lets a file run code"
    elif key == "pickle_module":
        yield "it names a module that reads pickles"
    elif isinstance(value, str):
        yield from _text_problems(place, value, imports)


def _target_problems(value: Any) -> Iterator[str]:
    if not isinstance(value, str):
        yield "_target_ is no text: what it would be is not known before it runs"
    elif value[:1] in ("$", "@", "%"):
        yield f"_target_ is '{shown(value)}': what it would be is not known before it runs"
    elif problem := name_problem(value):
        yield f"_target_ '{shown(value)}' {problem}"


def _text_problems(place: str, value: str, imports: dict[str, str]) -> Iterator[str]:
    if value.startswith("%"):
        file = value[1:].split("::")[0].split("#")[0]
        if PurePosixPath(file).is_absolute() or PureWindowsPath(file).anchor or ".." in file or ":" in file:
            yield f"'{shown(value)}' reads a file outside the bundle"
    elif value.startswith(("$", "@")):
        if problem := reference_problem(value):
            yield f"'{shown(value)}' {problem}"
    if not value.startswith("$"):
        return
    bound = read_import(value[1:])
    if bound is None:
        yield from (f"'{shown(value)}' {problem}" for problem in expression_problems(value[1:], imports))
    elif not _is_import(place):
        yield f"'{shown(value)}' imports outside of 'imports', so that a reference would be a module"
    elif problem := name_problem(f"{bound[2]}.X"):
        yield f"'{shown(value)}': {shown(bound[2])} {problem}"
