# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import gzip
import io
import random
import zlib

import pytest

from monai_anomaly.data.arrays import gzip_stream
from monai_anomaly.data.arrays.gzip_stream import open_gzip
from monai_anomaly.data.errors import ImageReadError

CONTENT = random.Random(0).randbytes(300_000) + bytes(5_000_000) + b"end"
LONG_NAME = b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 3_000_000 + b"\0" + gzip.compress(CONTENT)[10:]


def opened(packed: bytes):
    return open_gzip(io.BytesIO(packed))


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(CONTENT),
        gzip.compress(CONTENT[:1000]) + gzip.compress(b"") * 50 + gzip.compress(CONTENT[1000:]),
        gzip.compress(CONTENT) + bytes(100_000),
        gzip.compress(CONTENT[:9]) + bytes(70_000) + gzip.compress(CONTENT[9:]),
        LONG_NAME,
    ],
)
def test_it_gives_what_the_standard_library_gives(packed):
    assert opened(packed).read() == CONTENT == gzip.decompress(packed)
    stream = opened(packed)
    assert b"".join(iter(lambda: stream.read(99_991), b"")) == CONTENT


def test_places():
    stream = opened(gzip.compress(CONTENT))
    for place in (0, 5, 299_990, 10, 5_300_000, 0):
        assert stream.seek(place) == place == stream.tell()
        assert stream.read(7) == CONTENT[place : place + 7]
    assert stream.seek(10**9) == len(CONTENT) and stream.read(1) == b""
    assert stream.seek(3) == 3 and stream.read(2) == CONTENT[3:5]


@pytest.mark.parametrize("end", [1, 9, 12, 1000, -1, -8])
def test_a_cut_file_says_so(end):
    with pytest.raises(EOFError):
        opened(gzip.compress(CONTENT)[:end]).read()


def test_a_file_cut_behind_a_bomb_gives_what_there_is_first():
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    half = packed.compress(bytes(10**7)) + packed.flush(zlib.Z_SYNC_FLUSH)
    stream = opened(half)
    assert len(stream.read(10**7)) == 10**7
    with pytest.raises(EOFError):
        stream.read(1)


@pytest.mark.parametrize("damaged", [b"\x1f\x8b\x08\0garbage!garbage!", gzip.compress(CONTENT) + b"garbage"])
def test_damage_is_an_error_with_a_code(damaged):
    with pytest.raises(ImageReadError, match="decode_failed: the packed data are damaged"):
        opened(damaged).read()
    wrong = bytearray(gzip.compress(b"abc"))
    wrong[-8] ^= 1  # the checksum
    with pytest.raises(ImageReadError, match="decode_failed"):
        opened(bytes(wrong)).read()


def test_members_are_counted(monkeypatch):
    monkeypatch.setattr(gzip_stream, "MAX_MEMBERS", 100)
    assert opened(gzip.compress(b"") * 100 + b"").read() == b""
    with pytest.raises(ImageReadError, match="budget: the packed file has more than 100 members"):
        opened(gzip.compress(b"") * 102).read()
