# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An object that highdicom built once, whose bytes are filled in for each image.

highdicom checks and copies each item many times: an object takes as long as scoring an image. Objects of one form
differ in a few values only. So one of a made-up image is built, and its values, which are known, are replaced.
"""

from __future__ import annotations

import struct
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from monai_anomaly.dicom_results.result_object import ResultObject

__all__ = ["Filling", "Template"]

_PREAMBLE = 132  # with the four letters behind it
_GROUP_LENGTH, _META_END, _ITEM = 0x00020000, 0x00030000, 0xFFFEE000
_LONG = frozenset(vr.encode() for vr in EXPLICIT_VR_LENGTH_32)
_PADDED_BY_NUL = (b"UI", b"OB")


@dataclass(frozen=True)
class Filling:
    """What is an object's own, as it is stored, without padding.

    Args:
        form: objects of one form differ in nothing else.
        blanks: values that may stand anywhere in it, by names.
        elements: those of the object itself, by their tags, which are replaced or added.
    """

    form: Hashable
    blanks: Mapping[str, bytes]
    elements: Mapping[int, bytes]


@dataclass(frozen=True)
class _Blank:
    head: bytes
    vr: bytes
    name: str


@dataclass(frozen=True)
class _Sequence:
    head: bytes
    items: list[list[bytes | _Blank | _Sequence]]


_Part = bytes | _Blank | _Sequence


class Template:
    """An object with blanks.

    Args:
        built: the object: explicit VR little endian, with sequences of known length, as pydicom writes it.
        marks: the blanks' values in it, by their names, each one that nothing else has. All elements with such a value
            become the blank, wherever they are.

    Raises:
        ValueError: when a value is not there, or two are the same.
    """

    def __init__(self, built: ResultObject, marks: Mapping[str, bytes]) -> None:
        self._built = built
        names = {value: name for name, value in marks.items()}
        parsed = list(_parse(built.content, _PREAMBLE, len(built.content), names))
        self._parts = {tag: part for tag, _, part in parsed}
        self._vrs = {tag: vr for tag, vr, _ in parsed}
        missing = set(marks) - {name for part in self._parts.values() for name in _names(part)}
        if missing:
            raise ValueError(f"the {built.kind} that was built has no element with the values {sorted(missing)}.")

    def fill(self, filling: Filling) -> ResultObject:
        """Return the object of an image.

        Args:
            filling: of the same form; its blank ``own`` is the object's UID.
        """
        parts = dict(self._parts)
        for tag, value in filling.elements.items():
            vr = self._vrs.get(tag) or dictionary_VR(tag).encode()
            parts[tag] = _encode(struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr, vr, value)
        ordered = [(tag, _join(parts[tag], filling.blanks)) for tag in sorted(parts)]
        meta = b"".join(encoded for tag, encoded in ordered if _GROUP_LENGTH < tag < _META_END)
        length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta))
        rest = (encoded for tag, encoded in ordered if tag > _META_END)
        content = b"".join((self._built.content[:_PREAMBLE], length, meta, *rest))
        return ResultObject(self._built.kind, self._built.sop_class_uid, filling.blanks["own"].decode(), content)


def _parse(content: bytes, start: int, end: int, names: Mapping[bytes, str]) -> Iterator[tuple[int, bytes, _Part]]:
    """Yield the tag, the VR and the part of each element."""
    while start < end:
        group, element, vr = struct.unpack_from("<HH2s", content, start)
        long = vr in _LONG
        head = start + (12 if long else 8)
        (length,) = struct.unpack_from("<I" if long else "<H", content, start + (8 if long else 6))
        value, before = content[head : head + length], content[start : start + 6]
        name = names.get(value) or names.get(value[:-1])  # with or without its padding
        if vr == b"SQ":
            part: _Part = _parse_items(content, start, head, length, names)
        elif name is not None:
            part = _Blank(before, vr, name)
        else:
            part = content[start : head + length]
        yield group << 16 | element, vr, part
        start = head + length


def _parse_items(content: bytes, start: int, head: int, length: int, names: Mapping[bytes, str]) -> _Part:
    items, at = [], head
    while at < head + length:
        _, _, size = struct.unpack_from("<HHI", content, at)
        items.append(_merge(part for _, _, part in _parse(content, at + 8, at + 8 + size, names)))
        at += 8 + size
    sequence = _Sequence(content[start : start + 6], items)
    return sequence if any(True for _ in _names(sequence)) else content[start : head + length]


def _merge(parts: Iterator[_Part]) -> list[_Part]:
    """Put bytes that follow each other together."""
    merged: list[_Part] = []
    for part in parts:
        if isinstance(part, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def _names(part: _Part) -> Iterator[str]:
    if isinstance(part, _Blank):
        yield part.name
    elif isinstance(part, _Sequence):
        for item in part.items:
            for each in item:
                yield from _names(each)


def _join(part: _Part, blanks: Mapping[str, bytes]) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(part, _Blank):
        return _encode(part.head, part.vr, blanks[part.name])
    items = [b"".join([_join(each, blanks) for each in item]) for item in part.items]
    framed = b"".join([struct.pack("<HHI", _ITEM >> 16, _ITEM & 0xFFFF, len(item)) + item for item in items])
    return _encode(part.head, b"SQ", framed)


def _encode(head: bytes, vr: bytes, value: bytes) -> bytes:
    """Return an element of tag and VR, with the value padded to an even length."""
    if len(value) % 2:
        value += b"\0" if vr in _PADDED_BY_NUL else b" "
    return head + (struct.pack("<HI", 0, len(value)) if vr in _LONG else struct.pack("<H", len(value))) + value
