# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The files of an archive: those of a folder, of a list, or below the URL of an object store."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import fsspec

from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.entries import NO_LABEL, Entry, Naming
from monai_anomaly.data.lists.folders.system_names import is_of_system
from monai_anomaly.utils.identity import site_key

__all__ = ["LIST_SUFFIX", "digest_of_names", "is_url", "list_inputs"]

LIST_SUFFIX = ".txt"


def is_url(text: str) -> bool:
    """Return whether a text is a URL, as fsspec has them, and not a path."""
    return "://" in text


def list_inputs(source: str, *, source_names: bool = False) -> list[dict[str, Any]]:
    """Return an item for each file, in the order of its records.

    Args:
        source: a folder or a file, which are read as by
            :func:`~monai_anomaly.data.lists.datalist.load_datalist`; a ``.txt`` with a path or a URL in each line, a
            path relative to the list; or a URL that fsspec knows, of a file or of all that is below it.
        source_names: name files as they are called, in place of keyed hashes.

    Returns:
        Items with ``image`` (a path or a URL), ``name``, ``group`` and ``index``.

    Raises:
        DataListError: when there is none, or a list names a file twice.
    """
    naming = Naming(source_names)
    if is_url(source):
        return _items(_find(source), naming)
    path = Path(source).expanduser().absolute()
    if path.suffix.lower() == LIST_SUFFIX and path.is_file():
        return _items(_read_list(path), naming)
    listed = load_datalist(path, "inference", source_names=source_names)
    return [{key: value for key, value in item.items() if key not in ("label", "mask")} for item in listed]


def digest_of_names(items: Sequence[dict[str, Any]]) -> str:
    """Return what the names of an archive's files, in their order, are known by: 64 hexadecimal digits, keyed."""
    digest = hmac.new(site_key(), b"archive\0", "sha256")
    for item in items:
        digest.update(f"{item['name']}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _items(files: Iterable[tuple[str, str]], naming: Naming) -> list[dict[str, Any]]:
    """Return the items of names and places."""
    items = []
    for index, (name, place) in enumerate(files):
        group = naming.patient(Entry(name, "", NO_LABEL))
        items.append({"image": place, "name": naming.file(name), "group": group, "index": index})
    return items


def _find(url: str) -> list[tuple[str, str]]:
    """Return the names and URLs of what is below a URL, sorted; a name is what follows the URL."""
    try:
        system, root = fsspec.core.url_to_fs(url)
        places = [str(root)] if system.isfile(root) else [str(place) for place in system.find(root)]
    except (ImportError, ValueError) as error:  # no such scheme, or its package is not installed
        raise DataListError(f"the URL to score cannot be opened: {error}") from None
    except OSError as error:
        raise DataListError(
            f"the URL to score cannot be listed ({type(error).__name__}); correct it, or grant access to it."
        ) from None
    base = str(root).rstrip("/") + "/"
    named = {
        place.removeprefix(base) if place.startswith(base) else place.rpartition("/")[2]: place for place in places
    }
    found = sorted((name, place) for name, place in named.items() if not any(map(is_of_system, name.split("/"))))
    if not found:
        raise DataListError("there are no files below the URL to score; correct it.")
    return [(name, system.unstrip_protocol(place)) for name, place in found]


def _read_list(path: Path) -> list[tuple[str, str]]:
    """Return the names and places of a list, in its order; a name is a line as it stands there."""
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    named: dict[str, str] = {}
    for number, name in enumerate((line.strip() for line in lines), start=1):
        if name in named:
            raise DataListError(f"line {number} of the list is there before; remove one of the two.")
        if name:
            named[name] = name if is_url(name) else str(path.parent / Path(name).expanduser())
    if not named:
        raise DataListError("the list is empty; give it a path or a URL in each line.")
    return list(named.items())
