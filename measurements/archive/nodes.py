# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A head and two worker nodes of Ray, as processes on the loopback address."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from monai_anomaly.apps.archive.cluster import ALWAYS, OWN

__all__ = ["Nodes", "two_nodes"]


class Nodes:
    """A cluster that runs.

    Args:
        cluster: of Ray.
        workers: the nodes with a core each.
    """

    def __init__(self, cluster: Any, workers: list[Any]) -> None:
        self._cluster, self._workers = cluster, workers

    @property
    def address(self) -> str:
        """Where ``--address`` finds it."""
        return str(self._cluster.address)

    def kill_one(self) -> None:
        """End all processes of a node, as the loss of a machine does."""
        self._cluster.remove_node(self._workers.pop(), allow_graceful=False)


@contextmanager
def two_nodes() -> Iterator[Nodes]:
    """Start the nodes, and end them; others of this machine need a token to reach them.

    The head has no cores, so that it scores nothing.
    """
    os.environ.update(ALWAYS | OWN | {"RAY_AUTH_TOKEN": secrets.token_hex(32)})  # before Ray is imported
    from ray.cluster_utils import Cluster

    small: dict[str, Any] = {"object_store_memory": 100 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
    try:
        yield Nodes(cluster, [cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20) for _ in range(2)])
    finally:
        cluster.shutdown()
