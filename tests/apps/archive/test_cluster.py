# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import pytest

from monai_anomaly.apps.archive import cluster
from monai_anomaly.apps.archive.cluster import count_gpus, ray_session
from monai_anomaly.apps.archive.options import RunOptions
from monai_anomaly.utils.exceptions import ConfigError


@pytest.fixture
def fake_ray(monkeypatch, tmp_path):
    """Plays Ray, and keeps what it was started with."""
    fake = SimpleNamespace(started=[], address="127.0.0.1", fails=0, ended=0)

    def init(**how):
        fake.started.append({**how, "token": os.environ.get("RAY_AUTH_TOKEN")})
        if fake.fails:
            fake.fails -= 1
            raise TimeoutError("/somewhere/a-path")

    def shutdown():
        fake.ended += 1

    fake.init, fake.shutdown = init, shutdown
    fake.nodes = lambda: [{"NodeManagerAddress": fake.address}]
    fake.is_initialized = lambda: len(fake.started) > fake.ended
    fake.cluster_resources = lambda: {"CPU": 4.0, "GPU": 3.0}
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    for name in (*cluster.OWN, *cluster.ALWAYS, "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield fake
    for name in cluster.ALWAYS:
        os.environ.pop(name, None)


def test_ray_is_this_user_s_alone_and_leaves_nothing(fake_ray):
    with ray_session(RunOptions(workers=3, object_store_mib=128), threads=2) as work:
        own = os.path.dirname(work)
        assert os.stat(own).st_mode & 0o077 == 0
        assert os.environ["RAY_AUTH_MODE"] == "token" and os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    (how,) = fake_ray.started
    assert how["num_cpus"] == 6 and how["object_store_memory"] == 128 * 2**20 and not how["include_dashboard"]
    assert how["_temp_dir"].startswith(own) and len(how["token"]) == 64
    socket = f"{how['_temp_dir']}/session_2026-11-30_14-40-20_671484_4194304/sockets/plasma_store"
    assert len(socket) <= 107  # what the system takes
    assert not os.path.exists(own) and "RAY_AUTH_MODE" not in os.environ and "RAY_AUTH_TOKEN" not in os.environ
    assert fake_ray.ended == 1


def test_folders_of_processes_that_were_killed_are_removed(fake_ray):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    gone, here = (tempfile.mkdtemp(prefix=f"{cluster.PREFIX}{n}-", dir="/tmp") for n in (process.pid, os.getpid()))
    with ray_session(RunOptions(), threads=1):
        assert not os.path.exists(gone) and os.path.exists(here)
    os.rmdir(here)


def test_a_slow_machine_has_another_try(fake_ray):
    fake_ray.fails = cluster.TRIES - 1
    with ray_session(RunOptions(), threads=1):
        assert len(fake_ray.started) == cluster.TRIES
    fake_ray.fails = cluster.TRIES
    with pytest.raises(ConfigError, match="cannot be started") as caught, ray_session(RunOptions(), threads=1):
        raise AssertionError
    assert "a-path" not in str(caught.value)


def test_a_ray_that_others_can_reach_is_refused(fake_ray):
    fake_ray.address = "192.0.2.1"
    with pytest.raises(ConfigError, match="listen on the network"), ray_session(RunOptions(), threads=1):
        raise AssertionError
    assert fake_ray.ended == 1


def test_a_cluster_is_connected_to_as_it_is(fake_ray):
    with ray_session(RunOptions(address="192.0.2.1:6379"), threads=1) as work:
        assert work is None and count_gpus() == 3 and "RAY_AUTH_MODE" not in os.environ
    assert fake_ray.started[0]["address"] == "192.0.2.1:6379" and "_temp_dir" not in fake_ray.started[0]
    fake_ray.fails = 1
    with pytest.raises(ConfigError, match="no Ray cluster at"), ray_session(RunOptions(address="a:1"), threads=1):
        raise AssertionError
    assert len(fake_ray.started) == 2
