# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Faults that end the node, or a part of it, by SIGKILL: at each state, at random moments, and one part alone."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial

from measurements.node.bench import Bench
from measurements.node.node import Node, wait_until
from measurements.node.senders import push_aside, push_by_pynetdicom
from measurements.node.servers.private import free_port

__all__ = [
    "killed_anywhere",
    "killed_parts",
    "killed_supervisor",
    "killed_when_queued",
    "killed_when_scored",
    "killed_while_receiving",
    "killed_while_scoring",
    "killed_while_sending",
]

RECEIVING, TIMES, ANYWHERE = 5, 3, 5
TWICE = 2  # as its worker and what that was forked from end a job's attempt, of which there are five
STARTING = 20.0
SECONDS = 600.0
STATES = ("queued", "scoring", "scored", "sending", "done", "refused", "dead")


def killed_while_receiving(bench: Bench) -> None:
    """Kill the node while objects come in, when a random number of them has."""
    with bench.fault(f"killed: received, {RECEIVING} times") as (node, sent, remarks):
        node.start()
        numbers = sorted(random.Random(1).sample(range(1, max(len(sent), RECEIVING + 1)), RECEIVING))
        with push_aside(list(sent.values()), node.port):
            for number in numbers:
                _wait_for_number(node, number, *STATES)
                remarks.append(f"at {sum(node.states().values())}")
                node.kill()
                node.start()


def killed_when_queued(bench: Bench) -> None:
    """Kill the node when all is received and nothing is scored."""
    _killed_at(bench, "queued", only="receiver")


def killed_while_scoring(bench: Bench) -> None:
    """Kill the node three times while jobs are scored."""
    _killed_at(bench, "scoring", times=TIMES)


def killed_when_scored(bench: Bench) -> None:
    """Kill the node when results are on the disk and none is sent."""
    _killed_at(bench, "scored", only="receiver,worker")


def killed_while_sending(bench: Bench) -> None:
    """Kill the node three times between two deliveries."""
    _killed_at(bench, "sending", times=TIMES)


def killed_anywhere(bench: Bench) -> None:
    """Kill the node at random moments of its whole work, each time once more while it starts."""
    with bench.fault(f"killed: {2 * ANYWHERE} random moments") as (node, sent, remarks):
        node.start()
        chance = random.Random(2)
        moments = sorted(chance.sample(range(2 * len(sent)), min(ANYWHERE, len(sent))))  # of receiving and of scoring
        with push_aside(list(sent.values()), node.port):
            for moment in moments:
                wait_until(partial(_has_come, node, moment), SECONDS, "progress", 0.02)
                time.sleep(chance.uniform(0.0, 1.0))
                remarks.append("/".join(f"{state} {number}" for state, number in sorted(node.states().items())))
                node.kill()
                node.start(wait=False)
                time.sleep(chance.uniform(0.0, STARTING))
                node.kill()
                node.start()


def killed_supervisor(bench: Bench) -> None:
    """Kill the first process alone, three times: what it started ends by itself, and the node is started again."""
    with bench.fault(f"killed: the supervisor alone, {TIMES} times") as (node, sent, _):
        node.start()
        with push_aside(list(sent.values()), node.port):
            for number in range(TIMES):
                _wait_for_number(node, number * len(sent) // 4 + 1, "done")
                node.kill(whole=False)
                node.start()


def killed_parts(bench: Bench) -> None:
    """Kill each part alone twice, in a random order, the worker and the sender while they hold something."""
    with bench.fault(
        f"killed: each part alone, {TWICE} times", more={"web": {"port": free_port(), "login": False}}
    ) as fault:
        node, sent, remarks = fault
        ready: dict[str, Callable[[], bool]] = {
            "receiver": lambda: True,
            "worker": lambda: node.states()["scoring"] > 0,
            "sender": lambda: bool(node.query("SELECT 1 FROM deliveries WHERE lease_owner IS NOT NULL LIMIT 1")),
            "web": lambda: True,
            "forker": lambda: node.states()["scoring"] > 0,
        }

        kills = [*ready] * TWICE
        random.Random(3).shuffle(kills)
        node.start()
        with push_aside(list(sent.values()), node.port):
            for part in kills:
                _kill_part(node, part, ready[part], len(sent), remarks)


def _kill_part(node: Node, part: str, is_ready: Callable[[], bool], instances: int, remarks: list[str]) -> None:
    """Kill a part when it runs and is ready for it; nothing where all is done before."""

    def ready_or_done() -> bool:
        return bool(part in node.parts() and is_ready()) or node.states()["done"] >= instances

    wait_until(ready_or_done, SECONDS, part, 0.02)
    if node.states()["done"] < instances:
        for pid in node.parts().get(part, []):
            os.kill(pid, signal.SIGKILL)
        remarks.append(part)


def _killed_at(bench: Bench, state: str, *, times: int = 1, only: str | None = None) -> None:
    """Kill a node when a job is in a state, and start it whole.

    Args:
        bench: makes the node.
        state: of a job.
        times: how often.
        only: the parts that run before; None runs all.
    """
    with bench.fault(f"killed: {state}, {times} times" if times > 1 else f"killed: {state}") as (node, sent, remarks):
        node.start(only=only)
        push_by_pynetdicom(list(sent.values()), node.port, seconds=SECONDS)
        for _ in range(times):
            wait_until(lambda: node.states()[state] > 0 or _ended(node), SECONDS, f"a job that is {state}", 0.005)
            remarks.append(f"killed at {node.states()[state]} {state}")
            node.kill()
            node.start()


def _wait_for_number(node: Node, number: int, *states: str) -> None:
    wait_until(lambda: sum(node.states()[state] for state in states) >= number, SECONDS, f"{number} jobs", 0.02)


def _has_come(node: Node, moment: int) -> bool:
    """Whether so many objects have come in, or been done since: each counts once for both."""
    states = node.states()
    return sum(states.values()) + states["done"] >= moment


def _ended(node: Node) -> bool:
    states = node.states()
    return 0 < sum(states.values()) == states["done"]
