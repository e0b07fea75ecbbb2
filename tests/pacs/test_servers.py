# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from tests.helpers.orthanc import Orthanc, needs_orthanc
from tests.helpers.postgres import Postgres, needs_postgres

KILLED = """
import os
from tests.helpers.postgres import Postgres
with Postgres() as server:
    print(server.pid, server.folder, flush=True)
    os.kill(os.getpid(), 9)
"""
TOLD_TO_END = """
import os, sys, time
from measurements.node.workplace import workplace
with workplace(sys.argv[1]) as place:
    print(place.pacs.pid, place.pacs.folder, flush=True)
    os.kill(os.getpid(), 15)
    time.sleep(60)
"""


@needs_orthanc
@pytest.mark.pacs
def test_an_orthanc_keeps_what_it_has_when_it_is_started_again_and_leaves_nothing_behind():
    content = Path(get_testdata_file("examples_rgb_color.dcm", download=False)).read_bytes()
    with Orthanc() as pacs:
        name = pacs.upload(content)
        pacs.stop()
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", pacs.dicom_port), timeout=1).close()
        pacs.start()
        socket.create_connection(("127.0.0.1", pacs.dicom_port), timeout=1).close()
        assert pacs.instances() == [name] and pacs.file(name)[128:132] == b"DICM"
        pid = pacs.pid
    assert not pacs.folder.exists() and not Path(f"/proc/{pid}").exists()


@needs_postgres
@pytest.mark.postgres
def test_a_postgres_has_separate_databases_and_ends_with_who_started_it():
    import psycopg

    with Postgres() as server:
        urls = [server.new_database().replace("+psycopg", "") for _ in range(2)]
        with psycopg.connect(urls[0]) as connection:
            connection.execute("CREATE TABLE one (id INTEGER)")
        with psycopg.connect(urls[1]) as connection:
            assert connection.execute("SELECT to_regclass('one')").fetchone() == (None,)
    assert not server.folder.exists()

    run = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, env=dict(os.environ))
    pid, folder = run.stdout.split()
    end = time.monotonic() + 20
    while Path("/proc", pid).exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path("/proc", pid).exists()
    shutil.rmtree(folder)


@needs_orthanc
@pytest.mark.pacs
def test_all_that_a_measurement_of_the_node_has_started_ends_with_it_when_it_is_told_to_end(tmp_path):
    told = [sys.executable, "-c", TOLD_TO_END, str(tmp_path)]
    run = subprocess.run(told, capture_output=True, text=True, env=dict(os.environ))
    assert run.returncode == 128 + signal.SIGTERM, run.stderr
    pid, folder = run.stdout.split()
    assert not Path("/proc", pid).exists() and not Path(folder).exists()
    assert list(tmp_path.iterdir()) == []
