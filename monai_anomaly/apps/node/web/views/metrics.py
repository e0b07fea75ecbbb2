# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The node's numbers for Prometheus, read from the database when they are asked for, so that all processes' are in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.tables import Delivery, Heartbeat, Instance, Job, Refusal, now
from monai_anomaly.apps.node.web.views.numbers import WAITING

__all__ = ["node_metrics"]

_PREFIX = "monai_anomaly_node"


def node_metrics(database: Database, folder: Path) -> bytes:
    """Return the numbers in Prometheus' text format.

    Args:
        database: the node's.
        folder: the node's.
    """
    registry = CollectorRegistry(auto_describe=False)
    with database.read() as session:
        registry.register(_Families(list(_families(session, folder))))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from self._families


def _families(session: Session, folder: Path) -> Iterator[GaugeMetricFamily]:
    """Yield gauges: retention removes rows, so that none of them only grows."""
    states = select(Job.state, func.count()).group_by(Job.state)
    yield _by_labels("jobs", "Jobs by state", ["state"], session.execute(states))
    decisions = select(Job.decision, func.count()).where(Job.decision.is_not(None)).group_by(Job.decision)
    yield _by_labels("decisions", "Scored jobs by decision", ["decision"], session.execute(decisions))
    parts = (Delivery.destination, Delivery.state)
    deliveries = select(*parts, func.count()).group_by(*parts)
    yield _by_labels("deliveries", "Deliveries", ["destination", "state"], session.execute(deliveries))
    refused = select(Refusal.code, func.sum(Refusal.number)).group_by(Refusal.code)
    yield _by_labels("refused_at_the_door", "Objects and senders refused", ["code"], session.execute(refused))
    received, copies = session.execute(select(func.count(), func.sum(Instance.copies)).select_from(Instance)).one()
    yield _gauge("instances", "Instances in the database", received)
    yield _gauge("instance_copies", "How often instances came again", copies or 0)
    oldest = session.scalar(select(func.min(Job.created_at)).where(Job.state.in_(WAITING)))
    age = 0.0 if oldest is None else (now() - oldest).total_seconds()
    yield _gauge("oldest_waiting_seconds", "Age of the oldest job without a score; 0 without one", age)
    yield from _parts(session)
    yield _gauge("free_bytes", "Free on the disk of the node's folder", shutil.disk_usage(folder).free)


def _parts(session: Session) -> Iterator[GaugeMetricFamily]:
    """Yield what is known of each running part; the labels of one that was ended in order go."""
    at, rows = now(), session.scalars(select(Heartbeat)).all()
    labels = ["machine", "part"]
    for name, about, value in (
        ("part_unheard_seconds", "Since a part's last sign of life", lambda row: (at - row.at).total_seconds()),
        ("part_silent_seconds", "Since a part's last step, at its last sign of life", lambda row: row.silent_seconds),
        ("part_deaths", "How often in a row a part died young", lambda row: row.deaths),
    ):
        yield _by_labels(name, about, labels, [(row.machine, row.part, value(row)) for row in rows])


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", about, value=value)


def _by_labels(name: str, about: str, labels: list[str], rows: object) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"{_PREFIX}_{name}", about, labels=labels)
    for *values, number in rows:  # type: ignore[attr-defined]
        family.add_metric([str(value) for value in values], number)
    return family
