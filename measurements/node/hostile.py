# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A sender that means harm, as bytes on sockets of loopback."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined] # made at run time

__all__ = ["association_request", "flood", "forge_sizes", "pour_garbage", "silence", "wrong_titles"]

SECONDS = 10


def wrong_titles(port: int) -> int:
    """Ask with titles that the node does not know, and return how many of the requests it accepted."""
    accepted = 0
    for calling, called in (("STRANGER", "ANOMALY"), ("SENDER", "ANOTHER"), ("../../ETC", "ANOMALY")):
        entity = AE(calling)
        entity.connection_timeout = entity.acse_timeout = SECONDS
        entity.add_requested_context(Verification)
        association = entity.associate("127.0.0.1", port, ae_title=called)
        accepted += association.is_established
        association.abort()
    return accepted


def flood(port: int, number: int, at_a_time: int = 50) -> float:
    """Ask for associations, one as good as the other and none ever used, and return the seconds that it took."""
    start = time.monotonic()
    request = association_request()

    def ask(_: int) -> None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
                connection.sendall(request)
                connection.recv(1024)
        except OSError:  # refused or closed, as it should be
            return

    with ThreadPoolExecutor(at_a_time) as pool:
        list(pool.map(ask, range(number)))
    return time.monotonic() - start


@contextmanager
def silence(port: int, number: int) -> Iterator[None]:
    """Keep so many connections that say nothing, as far as the node keeps them."""
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=SECONDS))
        yield


def pour_garbage(port: int, mebibytes: int) -> None:
    """Send random bytes, as it is and as the data of an association, until the node closes."""
    garbage = os.urandom(2**20)
    for beginning in (b"", association_request()):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
                connection.sendall(beginning)
                for _ in range(mebibytes):
                    connection.sendall(garbage)
        except OSError:
            continue


def forge_sizes(port: int) -> None:
    """Send headers that announce up to 4 GiB and little after them, of every type of PDU and of a data value."""
    for kind in range(8):
        for size in (2**32 - 1, 2**31, 2**27):
            for beginning in (b"", association_request()):
                try:
                    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
                        connection.sendall(beginning + struct.pack(">BBI", kind, 0, size) + b"\xff" * 4096)
                        value = struct.pack(">BBIIBB", 4, 0, 4096, size, 1, 3)  # a data value longer than its PDU
                        connection.sendall(value + b"\0" * 4084)
                except OSError:
                    continue


def association_request() -> bytes:
    """Return an A-ASSOCIATE-RQ for verification, from a known sender (PS3.8 9.3.2)."""

    def item(kind: int, content: bytes) -> bytes:
        return struct.pack(">BBH", kind, 0, len(content)) + content

    syntaxes = item(0x30, b"1.2.840.10008.1.1") + item(0x40, b"1.2.840.10008.1.2")
    user = item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3.4")
    items = item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, b"\x01\0\0\0" + syntaxes) + item(0x50, user)
    content = struct.pack(">HH16s16s32x", 1, 0, b"ANOMALY".ljust(16), b"SENDER".ljust(16)) + items
    return struct.pack(">BBI", 1, 0, len(content)) + content
