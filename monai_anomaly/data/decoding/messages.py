# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Questions and answers between two processes: JSON, and the bytes of an array behind it; never pickle."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import IO, Any

import numpy as np

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.frame_source import DecodedImage

__all__ = ["pack_answer", "pack_message", "read_answer", "read_message", "write_all"]

Read = Callable[[memoryview], int]
"""Fills the start of a buffer and returns how many bytes it wrote; 0 at the end."""

TYPES = ("float32", "uint8", "bool")
_SIZE = struct.Struct("<I")


def pack_message(plain: dict[str, Any]) -> bytes:
    """Return a message, its length before it."""
    text = json.dumps(plain, default=_to_plain).encode("ascii")
    return _SIZE.pack(len(text)) + text


def read_message(read: Read) -> dict[str, Any]:
    """Return the next message.

    Raises:
        EOFError: when the other side has ended.
    """
    (size,) = _SIZE.unpack(_read_exactly(read, _SIZE.size))
    return dict(json.loads(_read_exactly(read, size)))


def pack_answer(answer: DecodedImage | np.ndarray | int | ImageReadError) -> tuple[bytes, memoryview]:
    """Return an answer: a message, and the bytes to send behind it."""
    if isinstance(answer, ImageReadError):
        return pack_message({"code": answer.code, "reason": answer.message}), memoryview(b"")
    if isinstance(answer, int):
        return pack_message({"count": answer}), memoryview(b"")
    facts = None
    if isinstance(answer, DecodedImage):
        facts = {name: value for name, value in vars(answer).items() if name != "values"}
        answer = answer.values
    array = np.ascontiguousarray(answer)
    head = {"facts": facts, "shape": array.shape, "dtype": array.dtype.name}
    return pack_message(head), array.reshape(-1).view(np.uint8).data


def read_answer(read: Read) -> DecodedImage | np.ndarray | int:
    """Return the next answer.

    Raises:
        EOFError: when the other side has ended.
        ImageReadError: when that is the answer.
    """
    head = read_message(read)
    if "code" in head:
        raise ImageReadError(head["code"], head["reason"])
    if "count" in head:
        return int(head["count"])
    if head["dtype"] not in TYPES:
        raise EOFError
    array = np.empty(head["shape"], head["dtype"])
    _fill(read, array.reshape(-1).view(np.uint8).data)
    if head["facts"] is None:
        return array
    image = DecodedImage(values=array, **head["facts"])
    return replace(image, **{name: _to_tuple(getattr(image, name)) for name in ("reduced_from", "box", "spacing")})


def write_all(file: IO[bytes], data: bytes | memoryview) -> None:
    """Write to a pipe without a buffer, which takes a part at a time."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _read_exactly(read: Read, size: int) -> bytearray:
    buffer = bytearray(size)
    _fill(read, memoryview(buffer))
    return buffer


def _fill(read: Read, view: memoryview) -> None:
    while view:
        count = read(view)
        if not count:
            raise EOFError
        view = view[count:]


def _to_tuple(values: Any) -> Any:
    return None if values is None else tuple(values)


def _to_plain(number: Any) -> Any:
    return number.item()  # of NumPy
