# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Connections of DICOM that wait for no timer of TCP.

A peer that writes a PDU's head and its body apart, as DCMTK and with it Orthanc do, holds the body until the head was
acknowledged, and the kernel acknowledges after 40 ms: 48 ms for each object in place of 6. pynetdicom sets neither
option.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from pynetdicom import evt

__all__ = ["prompt_handlers"]


def prompt_handlers() -> list[evt.EventHandlerType]:
    """Return handlers of pynetdicom's events that keep an association's connection prompt."""
    return [(event, _prompt) for event in (evt.EVT_CONN_OPEN, evt.EVT_DATA_SENT, evt.EVT_DATA_RECV)]


def _prompt(event: evt.Event) -> None:
    connection = event.assoc.dul.socket
    if connection is None or connection.socket is None:  # closed meanwhile
        return
    with suppress(OSError):  # closed meanwhile: who reads or writes next sees it
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_QUICKACK"):  # of Linux, which takes it back after some segments
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
