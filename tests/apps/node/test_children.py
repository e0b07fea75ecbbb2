# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from multiprocessing import Pipe
from typing import Any

import pytest

from monai_anomaly.apps.node import children as children_module
from monai_anomaly.apps.node.children import LONGEST_PAUSE, Children
from monai_anomaly.apps.node.database.heartbeats import STEADY_SECONDS


class Process:
    """A process that dies when it is told."""

    started: list[Process] = []

    def __init__(self, target: Any, args: tuple[Any, ...], name: str) -> None:
        self.args, self.name, self.exitcode, self.alive, self.killed = args, name, 1, False, False
        self.pid = len(self.started) + 100

    def start(self) -> None:
        self.alive = True
        self.started.append(self)

    def is_alive(self) -> bool:
        return self.alive

    def join(self, timeout: float | None = None) -> None:
        """It ends when its pipe's other end is closed, if it listens."""
        if self.args[1] == "listens" and self.args[-1].poll(0):
            self.alive = False

    def kill(self) -> None:
        self.alive, self.killed = False, True


class Context:
    Process = Process

    def Pipe(self, duplex: bool) -> Any:  # noqa: N802
        reading, writing = Pipe(duplex)

        class Kept:
            """The reading end: a real process has its own copy, which the closing here does not end."""

            poll = staticmethod(reading.poll)

            def close(self) -> None:
                pass

        return Kept(), writing


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in a list; pauses have no chance in them."""
    Process.started = []
    monkeypatch.setattr(children_module, "pause_after", lambda deaths: float(2 ** (deaths - 1)))
    return [0.0]


@pytest.fixture
def children(clock: list[float]) -> Children:
    return Children(lambda: clock[0])


def _nothing(*_: Any) -> None:
    pass


def test_what_dies_young_is_started_again_after_pauses_that_grow_to_a_minute(
    children: Children, clock: list[float]
) -> None:
    children.add("worker 0", Context(), _nothing, "listens")
    children.add("web", Context(), _nothing, "listens")
    for deaths, pause in enumerate((1, 2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE), start=1):
        process = Process.started[-1] if deaths > 1 else Process.started[0]
        process.alive = False
        (death,) = children.look()
        assert (death.name, death.process, death.number) == ("worker 0", process.pid, deaths)
        started = len(Process.started)
        clock[0] += pause - 0.5
        assert children.look() == [] and len(Process.started) == started  # not yet, and said once
        clock[0] += 0.5
        assert children.look() == [] and len(Process.started) == started + 1
        assert process.args[-1].poll(0)  # what is left of the old one is told to end


def test_what_lived_long_is_started_soon(children: Children, clock: list[float]) -> None:
    children.add("web", Context(), _nothing, "listens")
    for lived, number in ((1.0, 1), (1.0, 2), (STEADY_SECONDS + 1, 1), (1.0, 2)):
        clock[0] += lived
        Process.started[-1].alive = False
        assert [death.number for death in children.look()] == [number]
        clock[0] += 2.0
        children.look()


def test_the_end_is_asked_for_and_who_does_not_listen_is_killed(children: Children) -> None:
    children.add("web", Context(), _nothing, "listens")
    children.add("worker 0", Context(), _nothing, "hangs")
    children.end(0.0)
    assert [(process.alive, process.killed) for process in Process.started] == [(False, False), (False, True)]
    assert children.look() == []
    children.end(0.0)  # twice does no harm
