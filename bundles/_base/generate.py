# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Write the configurations of the bundles: the text that all of them share, with what is a method's own.

``make bundles`` runs this file. A bundle shares nothing when it runs, so that its folder can go anywhere alone; what it
has in common with the others is written once, here: ``common.json`` for all runs, ``scoring.json`` for the three that
score, and a file for each configuration. ``methods/<method>.json`` has sections of the same names, and makes
``bundles/<method>``. ``"with": ["pool"]`` in it takes the sections of ``extras/pool.json`` in, before its own.
:data:`PARTS` says which of them make which configuration. Each changes those before it:

* Objects are merged key by key, and any other value replaces the one before. So does an object with a ``_target_``: the
  arguments of another class would make no sense.
* ``"+key"`` adds items to the list ``key``, at its item ``"..."`` or at its end.
* ``"-key"`` takes the key away; the value says why.
* A new key stands before the one that follows it in its own file, or last. ``"key": "..."`` changes nothing and only
  says where its neighbors stand.
* ``"=": ["a", "b"]`` stands for ``"a": "@a", "b": "@b"``: arguments that are keys of the same name.
* What is ``"..."`` in the shared text and nowhere else, the method must give.

A blank line before a key in any of the files is one in the configuration, too. Overlays of single methods, such as
``paper.json``, are written by hand, in the bundles.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

__all__ = ["METHODS", "PARTS", "bundle_files", "merge", "read_part", "to_text", "write_bundle"]

BASE = Path(__file__).resolve().parent
METHODS = BASE / "methods"
EXTRAS = BASE / "extras"
BUNDLES = BASE.parent
PARTS = {
    "train": ("common", "train"),
    "evaluate": ("common", "scoring", "evaluate"),
    "calibrate": ("common", "scoring", "calibrate"),
    "inference": ("common", "scoring", "inference"),
    "multi_gpu_train": ("multi_gpu_train",),
    "select_by_pool": ("select_by_pool",),
    "metadata": ("metadata",),
}
"""What each configuration is made of: files here, and then sections of the method's file."""
ELSEWHERE = "..."
SAME_NAME = "="
LONGEST_LIST = 80
"""Characters of a list that is written on one line."""

Object = dict[str, Any]


def bundle_files(method: Path) -> dict[str, str]:
    """Return the text of each generated file of a bundle, by its path in the bundle's folder.

    Raises:
        ValueError: when the method's file has an unknown section, takes away a key that is not there, or lacks one that
            the shared text asks for.
    """
    extras = [EXTRAS / f"{name}.json" for name in read_part(method).get("with", [])]
    known = sorted({part for parts in PARTS.values() for part in parts})
    unknown = read_part(method).keys() - {*known, "with"}
    if unknown:
        raise ValueError(f"{method}: the sections must be among {', '.join(known)}, got {', '.join(unknown)}.")
    files = {f"configs/{name}.json": _configuration(parts, [*extras, method]) for name, parts in PARTS.items()}
    files["configs/logging.conf"] = (BASE / "logging.conf").read_text(encoding="utf-8")
    files["LICENSE"] = (BUNDLES.parent / "LICENSE").read_text(encoding="utf-8")
    return files


def write_bundle(method: Path, folder: Path) -> None:
    """Write the generated files of a method into the folder of its bundle."""
    for name, text in bundle_files(method).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def read_part(source: Path) -> Object:
    """Return what a file here says, with all names written out."""
    content: Object = json.loads(source.read_text(encoding="utf-8"), object_pairs_hook=_object)
    return content


def _object(pairs: list[tuple[str, Any]]) -> Object:
    """Return an object, with what ``"="`` stands for written out at its place."""
    written = [[(name, f"@{name}") for name in value] if key == SAME_NAME else [(key, value)] for key, value in pairs]
    return dict(pair for group in written for pair in group)


def _configuration(parts: tuple[str, ...], layers: list[Path]) -> str:
    shared = [BASE / f"{part}.json" for part in parts]
    changes = [*map(read_part, shared), *(read_part(layer).get(part, {}) for layer in layers for part in parts)]
    merged = functools.reduce(merge, changes)
    missing = list(_missing(merged))
    if missing:
        raise ValueError(f"{layers[-1]}: the section '{parts[-1]}' or one before must give {', '.join(missing)}.")
    spaced = {key for source in shared for key in _after_a_blank_line(source, indent=4)}
    spaced |= {key for layer in layers for key in _after_a_blank_line(layer, indent=8)}
    return to_text(_finished(merged), spaced)


def merge(before: Object, change: Object) -> Object:
    """Return an object with what another one changes, by the rules above.

    Raises:
        ValueError: when a key is to be taken away that is not there.
    """
    order, values, place = list(before), dict(before), len(before)
    for key, value in reversed(change.items()):  # from the end, so that the place of a new key is known
        name = key[1:] if key[0] in "+-" and key[1:] in before else key
        if name in before:
            place = order.index(name)
            values[name] = _changed(before[name], value, added=key[0] == "+")
        elif key[0] == "-":
            raise ValueError(f"'{key}' takes away a key that is not there; there are {', '.join(before)}.")
        else:
            order.insert(place, key)
            values[key] = value
    return {name: values[name] for name in order if f"-{name}" not in change}


def _changed(before: Any, value: Any, added: bool) -> Any:
    if value == ELSEWHERE:
        return before
    if added and isinstance(before, list):
        place = before.index(ELSEWHERE) if ELSEWHERE in before else len(before)
        return [*before[:place], *value, *before[place:]]
    if isinstance(before, dict) and isinstance(value, dict) and "_target_" not in value:
        return merge(before, value)
    return value


def _finished(node: Any) -> Any:
    """Return it without the places in lists where more could have been added."""
    if isinstance(node, dict):
        return {key: _finished(value) for key, value in node.items()}
    return [_finished(item) for item in node if item != ELSEWHERE] if isinstance(node, list) else node


def _missing(node: Object, where: str = "") -> Iterator[str]:
    """Name the keys whose value is still to be given."""
    for key, value in node.items():
        if value == ELSEWHERE:
            yield f"'{where}{key}'"
        elif isinstance(value, dict):
            yield from _missing(value, f"{where}{key}::")


def _after_a_blank_line(source: Path, indent: int) -> list[str]:
    return re.findall(rf'^\n {{{indent}}}"\+?([^"]+)":', source.read_text(encoding="utf-8"), flags=re.MULTILINE)


def to_text(configuration: Object, spaced: Collection[str] = ()) -> str:
    """Return JSON as we write it: indented by 4, short lists on one line, a blank line before the ``spaced`` keys."""
    text = _node_text(configuration, indent=0)
    for key in spaced:
        text = re.sub(rf"^    {re.escape(json.dumps(key))}: ", r"\n\g<0>", text, flags=re.MULTILINE)
    return text + "\n"


def _node_text(node: Any, indent: int) -> str:
    text = json.dumps(node, ensure_ascii=False)
    if not isinstance(node, (dict, list)) or not node or _is_short_list(node, text):
        return text
    space = " " * (indent + 4)
    if isinstance(node, dict):
        items = [f"{json.dumps(key)}: {_node_text(value, indent + 4)}" for key, value in node.items()]
    else:
        items = [_node_text(item, indent + 4) for item in node]
    return text[0] + ",".join(f"\n{space}{item}" for item in items) + f"\n{' ' * indent}{text[-1]}"


def _is_short_list(node: Object | list[Any], text: str) -> bool:
    plain = isinstance(node, list) and not any(isinstance(item, (dict, list)) for item in node)
    return plain and len(text) <= LONGEST_LIST


if __name__ == "__main__":
    for path in sorted(METHODS.glob("*.json")):
        write_bundle(path, BUNDLES / path.stem)
