# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The short form of ``python -m measurements.node.faults``."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from measurements.node.bench import Bench
from measurements.node.node import wait_until
from measurements.node.senders import push_by_orthanc, push_by_pynetdicom
from tests.helpers.doors import calibrate, write_model
from tests.helpers.orthanc import Orthanc, needs_orthanc
from tests.helpers.postgres import Postgres, needs_postgres

pytestmark = [needs_orthanc, pytest.mark.pacs]

DATABASES = ["sqlite", pytest.param("postgres", marks=[needs_postgres, pytest.mark.postgres, pytest.mark.slow])]


@pytest.mark.parametrize("database", DATABASES)
def test_there_is_one_result_set_for_each_instance_whatever_happens(tmp_path, database):
    model = write_model(tmp_path, guard=False)
    calibrate(model)
    with ExitStack() as stack:
        pacs = stack.enter_context(Orthanc())
        make = stack.enter_context(Postgres()).new_database if database == "postgres" else None
        bench = Bench(tmp_path, model, pacs, 8, make)
        with bench.fault("short", seconds=600) as (node, sent, _):
            names = bench.upload(node, sent)
            paths = list(sent.values())
            node.start()
            push_by_orthanc(pacs, names[:4], associations=2)
            pacs.stop()
            push_by_pynetdicom([path for path in paths[4:] for _ in range(2)], node.port)  # each twice at a time
            wait_until(lambda: node.states()["queued"] < 8, 120, "a job's turn")
            node.kill()
            pacs.start()
            node.start()
            push_by_pynetdicom(paths[:1], node.port)  # again, when it was scored already
    (outcome,) = bench.outcomes
    assert outcome.wrong == []
    assert outcome.remarks == []  # nothing was refused
