# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient

from monai_anomaly.apps.node.database.tables import Heartbeat, Job
from monai_anomaly.apps.node.web.app import make_app
from monai_anomaly.apps.node.web.context import WebNode
from tests.helpers.node_pages import make_node

CHECKS = ("database", "disk", "queue", "scoring", "receiver", "worker", "sender")


@pytest.fixture
def node(tmp_path: Path) -> WebNode:
    return make_node(tmp_path, 10)


@pytest.fixture
def client(node: WebNode) -> TestClient:
    return TestClient(make_app(node), base_url="http://127.0.0.1:8080")


def _change(node: WebNode, *parts: str, **values: Any) -> None:
    with node.database.begin() as session:
        for part in parts:
            found = session.get_one(Heartbeat, ("a", part))
            for name, value in values.items():
                setattr(found, name, value(found) if callable(value) else value)


def _later(seconds: float) -> Callable[[Heartbeat], Any]:
    return lambda found: found.at - timedelta(seconds=seconds)


def test_all_is_well_also_while_a_part_is_started_again(client: TestClient, node: WebNode) -> None:
    well = {"status": "ok", "checks": dict.fromkeys(CHECKS, "ok")}
    assert client.get("/health").json() == well
    _change(node, "worker 0", "worker 1", "receiver", is_dead=True, deaths=1, at=_later(5))
    assert client.get("/health").json() == well


def test_images_that_nobody_takes_say_so(client: TestClient, node: WebNode) -> None:
    with node.database.begin() as session:
        waiting = session.get_one(Job, 8)
        waiting.next_attempt_at = waiting.next_attempt_at.replace(year=2020)
    answer = client.get("/health")
    assert answer.status_code == 503 and "no worker has taken one" in answer.json()["checks"]["scoring"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"deaths": 4, "is_dead": True}, "died 4 times in a row"),
        ({"deaths": 4}, "died 4 times in a row"),  # it lives at the moment
        ({"at": _later(100)}, "not heard of for 1"),
        ({"silent_seconds": 700.0}, "has done no step for 7"),
    ],
)
@pytest.mark.parametrize(
    ("parts", "check", "number", "status"),
    [
        (("worker 0",), "worker", "1 of 2", 200),
        (("worker 0", "worker 1"), "worker", "2 of 2", 503),
        (("receiver",), "receiver", "1 of 1", 503),
        (("sender",), "sender", "1 of 1", 200),  # results wait; images are scored
    ],
)
def test_a_part_that_dies_again_and_again_is_lost_or_hangs_says_so(
    client: TestClient,
    node: WebNode,
    parts: tuple[str, ...],
    check: str,
    number: str,
    status: int,
    values: Any,
    said: str,
) -> None:
    _change(node, *parts, **values)
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (status, "degraded" if status == 200 else "failing")
    wrong = {name: text for name, text in answer.json()["checks"].items() if text != "ok"}
    assert list(wrong) == [check]
    assert wrong[check].startswith(f"{number}: ") and said in wrong[check]


def test_without_a_worker_nothing_is_scored_and_without_a_receiver_images_come_another_way(
    client: TestClient, node: WebNode
) -> None:
    for part, status in (("receiver", 200), ("worker 1", 200), ("worker 0", 503)):
        with node.database.begin() as session:
            session.delete(session.get_one(Heartbeat, ("a", part)))
        assert client.get("/health").status_code == status
    assert client.get("/health").json()["checks"]["worker"] == "no worker runs"


def test_metrics_have_each_part(client: TestClient, node: WebNode) -> None:
    _change(node, "worker 1", deaths=2, silent_seconds=12.5)
    lines = client.get("/metrics").text.splitlines()
    assert 'monai_anomaly_node_part_deaths{machine="a",part="worker 1"} 2.0' in lines
    assert 'monai_anomaly_node_part_silent_seconds{machine="a",part="worker 1"} 12.5' in lines
    assert any(line.startswith('monai_anomaly_node_part_unheard_seconds{machine="a",part="sender"} ') for line in lines)
