# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a cache of decoded images is called: another name for whatever could make another picture."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from typing import Any

from monai_anomaly import __version__
from monai_anomaly.data.sets.cache.cache_file import VERSION
from monai_anomaly.utils.code_digest import code_digest
from monai_anomaly.utils.exceptions import CacheError
from monai_anomaly.utils.identity import site_key

__all__ = ["cache_name"]

DECODERS = (
    *("torch", "numpy", "pillow", "tifffile", "pydicom", "python-gdcm", "pylibjpeg-openjpeg", "pylibjpeg-rle"),
    *("nibabel", "itk"),
)
"""Packages that turn a file into numbers; another version may give others."""

SUFFIX = ".images"
_DIGITS = 32


def cache_name(data: Sequence[Mapping[str, Any]], transform: Any) -> str:
    """Return the name of the cache of a data set: its digits, and this package's version.

    The digits are of this site's key, of each image's path, frame, size and times of change in the file system, of the
    arguments of the preprocessing, of this package's code and of the versions of what decodes. No file is opened, and
    the digits tell nobody a path. Whatever a list says of an image besides, such as its label, is not in them.

    Args:
        data: items of a data list.
        transform: a preprocessing with ``spec``, its arguments as plain values.

    Raises:
        CacheError: for pictures in memory, or a transform without ``spec``.
        ConfigError: without a key.
    """
    spec = getattr(transform, "spec", None)
    if spec is None:
        raise CacheError(f"{type(transform).__name__} has no spec to know its pictures by; use cache=memory.")
    digest = hmac.new(site_key(), _text(["images", VERSION, code_digest(), _versions(), spec]), hashlib.sha256)
    for item in data:
        digest.update(_text(_source(item)))
    return f"{digest.hexdigest()[:_DIGITS]}-{__version__}{SUFFIX}"


def _text(value: Any) -> bytes:
    return (json.dumps(value, sort_keys=True) + "\n").encode("ascii")


def _versions() -> list[str]:
    """Return the versions of what decodes; empty for what is not installed."""
    found = []
    for name in DECODERS:
        try:
            found.append(version(name))
        except PackageNotFoundError:
            found.append("")
    return found


def _source(item: Mapping[str, Any]) -> list[Any]:
    """Return what stands for an item's picture; a file that is not there has no size, and its reading says so."""
    path = item["image"]
    if not isinstance(path, (str, PathLike)):
        raise CacheError("pictures in memory have no file to know them by; use cache=memory.")
    try:
        status = os.stat(path)
        state = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    except OSError:
        state = []
    return [os.path.abspath(path), item.get("frame"), state]
