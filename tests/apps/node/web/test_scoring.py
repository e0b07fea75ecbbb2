# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``POST /api/score``, with a process that answers as the real one does, without loading a network."""

from __future__ import annotations

import sys

import pytest
from fastapi.testclient import TestClient

from monai_anomaly.apps.node.web.app import make_app
from monai_anomaly.apps.node.web.scoring.scorer import Scorer
from tests.helpers.node_pages import make_node

CHILD = """
import json, sys, time
options = json.loads(sys.stdin.readline())
print(json.dumps({"problem": "no such file"} if options["checkpoint"] == "none" else {"ready": True}), flush=True)
for line in sys.stdin:
    content = open(json.loads(line), "rb").read()
    if b"die" in content: sys.exit(1)
    if b"sleep" in content: time.sleep(60)
    status = "rejected" if b"bad" in content else "scored"
    print(json.dumps({"record": {"status": status, "image": None, "bytes": len(content)}}), flush=True)
"""
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def client(tmp_path):
    node = make_node(tmp_path, score_max_bytes=1000)
    node.scorer = Scorer({"checkpoint": "model.pt"}, 0.5, [sys.executable, "-c", CHILD])
    with TestClient(make_app(node), base_url="http://127.0.0.1") as opened:
        yield opened
    assert node.scorer._process is None  # it ends with the application
    assert list((tmp_path / "uploads").glob("*")) == []


def test_a_file_is_scored_and_not_kept(client):
    answer = client.post("/api/score", content=PNG + b"x")
    assert answer.status_code == 200 and answer.json() == {"status": "scored", "image": None, "bytes": 9}
    assert client.post("/api/score", content=bytes(128) + b"DICM bad").status_code == 422


def test_what_is_too_large_or_no_picture_never_reaches_the_scoring_process(client):
    assert client.post("/api/score", content=bytes(1001)).status_code == 413
    assert client.post("/api/score", content=b"hello").status_code == 415
    assert client.post("/api/score", content=iter([PNG])).status_code == 411
    client.post("/api/score", content=PNG)


@pytest.mark.parametrize("what", [b"die", b"sleep"])
def test_a_file_that_breaks_or_holds_the_process_is_given_up_and_the_next_one_scored(client, what):
    assert client.post("/api/score", content=PNG + what).status_code == 504
    assert client.post("/api/score", content=PNG).status_code == 200


def test_a_detector_that_cannot_be_loaded_is_said(tmp_path):
    node = make_node(tmp_path)
    node.scorer = Scorer({"checkpoint": "none"}, 5, [sys.executable, "-c", CHILD])
    answer = TestClient(make_app(node), base_url="http://127.0.0.1").post("/api/score", content=PNG)
    assert answer.status_code == 503 and "no such file" in answer.json()["error"]
