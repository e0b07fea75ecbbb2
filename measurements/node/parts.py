# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which process of a node is which of its parts, as Linux tells it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from measurements.node.memory import processes

__all__ = ["find_parts"]

LISTENS = "0A"


def find_parts(session: int, dicom_port: int, web_port: int | None = None) -> dict[str, list[int]]:
    """Return the numbers of a node's processes by its part.

    The parts are ``supervisor``; ``receiver`` and ``web``, which listen; ``sender``, which is what else the supervisor
    has spawned; ``forker``, which workers are forked from; ``worker``; and ``decoder``, the child of a worker.

    Args:
        session: of the node.
        dicom_port: that the receiver listens on.
        web_port: that the pages are on.
    """
    ports = {dicom_port: "receiver", **({web_port: "web"} if web_port is not None else {})}
    inodes = _listening(ports)
    found: dict[str, list[int]] = defaultdict(list)
    for pid in processes(session):
        try:
            found[_part(pid, session, inodes)].append(pid)
        except OSError:  # it has ended meanwhile
            continue
    return dict(found)


def _part(pid: int, session: int, inodes: dict[str, str]) -> str:
    proc = Path("/proc", str(pid))
    if pid == session:
        return "supervisor"
    command = (proc / "cmdline").read_text()
    if "multiprocessing.forkserver" in command:
        parent = int((proc / "stat").read_text().rpartition(")")[2].split()[1])
        return "forker" if parent == session else "worker"
    if "spawn_main" not in command:
        return "decoder" if "decoding.worker" in command else "other"
    links = [os.readlink(link) for link in (proc / "fd").iterdir()]
    return next((inodes[link] for link in links if link in inodes), "sender")


def _listening(ports: dict[int, str]) -> dict[str, str]:
    """Return the parts of the sockets that listen on ports, as links to them look."""
    inodes = {}
    for line in _lines("/proc/net/tcp"):
        words = line.split()
        name = ports.get(int(words[1].partition(":")[2], 16))
        if name is not None and words[3] == LISTENS:
            inodes[f"socket:[{words[9]}]"] = name
    return inodes


def _lines(path: str) -> Sequence[str]:
    return Path(path).read_text().splitlines()[1:]
