# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The web part of the node, served on a port until it is told to stop; and without its detector."""

from __future__ import annotations

import multiprocessing
import threading
import time
from dataclasses import replace

import httpx
import pytest

from measurements.node.servers.private import free_port
from monai_anomaly.apps.node.configuration.sections import DetectorSettings, NodeSettings
from monai_anomaly.apps.node.stopping import Stopping
from monai_anomaly.apps.node.web import run_web as module
from monai_anomaly.apps.node.web.run_web import run_web
from monai_anomaly.apps.node.web.settings import WebSettings
from monai_anomaly.utils.exceptions import ConfigError


@pytest.fixture
def settings(tmp_path) -> NodeSettings:
    return NodeSettings(
        folder=tmp_path / "node",
        detector=DetectorSettings(checkpoint=tmp_path / "model.pt"),
        web=WebSettings(login=False, port=free_port()),
        audit=tmp_path / "audit.jsonl",
        operator="node",
    )


def test_pages_are_served_until_the_end_is_asked_for(settings, monkeypatch):
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.02)
    reading, writing = multiprocessing.Pipe(duplex=False)
    thread = threading.Thread(target=run_web, args=(settings, 1, Stopping(reading)))
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{settings.web.port}", trust_env=False) as client:
        for _ in range(500):
            try:
                answer = client.get("/health")
                break
            except httpx.ConnectError:
                time.sleep(0.02)
        assert answer.json()["checks"]["worker"] == "no worker runs" and answer.status_code == 503
        assert "server" not in answer.headers
        assert "Nothing was received yet" in client.get("/").text
    writing.close()
    thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{settings.web.port}/health", trust_env=False)


def test_without_a_section_there_is_nothing_to_serve(settings):
    reading, _ = multiprocessing.Pipe(duplex=False)
    with pytest.raises(ConfigError, match="there is no section 'web'"):
        run_web(replace(settings, web=None), 1, Stopping(reading))
