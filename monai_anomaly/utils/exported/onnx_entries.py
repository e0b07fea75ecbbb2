# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Entries of an ONNX file's metadata, written at its end and read without any package of ONNX.

A file of protocol buffers may be continued: entries that are appended are entries of the same message. So the digest of
a file is its last entry, over all bytes before it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

__all__ = ["check_sealed", "metadata_entries", "onnx_entry", "sealed"]

_METADATA, _BYTES = 14, 2  # the field metadata_props of ModelProto, and the wire type of what has a length
_MARK = "monai_anomaly sha256"
_SIZES = {1: 8, 5: 4}
"""Bytes of a field of a fixed size, by its wire type."""


def onnx_entry(key: str, value: str) -> bytes:
    """Return the bytes that continue an ONNX file by an entry of its metadata."""
    inner = _field(1, key.encode()) + _field(2, value.encode())
    return _field(_METADATA, inner)


def sealed(data: bytes) -> bytes:
    """Return a file with the digest of its bytes as its last entry."""
    return data + onnx_entry(_MARK, hashlib.sha256(data).hexdigest())


def check_sealed(data: bytes) -> bool | None:
    """Return whether the bytes are those that were sealed; None for a file that nobody sealed."""
    end = onnx_entry(_MARK, "0" * 64)
    body, found = data[: -len(end)], data[-len(end) :]
    if not found.startswith(end[:-64]):
        return None
    return found == onnx_entry(_MARK, hashlib.sha256(body).hexdigest())


def metadata_entries(data: bytes) -> dict[str, str]:
    """Return the metadata of an ONNX file by their keys.

    Raises:
        ValueError: for bytes that are no protocol buffers.
    """
    pairs = (dict(_fields(inner)) for number, inner in _fields(data) if number == _METADATA)
    return {pair.get(1, b"").decode(): pair.get(2, b"").decode() for pair in pairs}


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each field that has a length."""
    file = io.BytesIO(data)
    while file.tell() < len(data):
        tag = _read_varint(file)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            _read_varint(file)
            continue
        if kind != _BYTES and kind not in _SIZES:
            raise ValueError("no protocol buffers")
        size = _SIZES.get(kind) or _read_varint(file)
        content = file.read(size)
        if len(content) != size:
            raise ValueError("cut short")
        if kind == _BYTES:
            yield number, content


def _read_varint(file: io.BytesIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("cut short")
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise ValueError("no protocol buffers")
