# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A node's database and folder, filled as workers would fill them, and its pages."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import uvicorn

from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.database.tables import Delivery, Detector, Heartbeat, Instance, Job, Refusal, now
from monai_anomaly.apps.node.web.app import make_app
from monai_anomaly.apps.node.web.context import WebNode
from monai_anomaly.apps.node.web.people.tokens import add_token
from monai_anomaly.apps.node.web.settings import WebSettings
from monai_anomaly.scoring.map_encoders import encode_png_map
from monai_anomaly.utils.heatmap import encode_image

LONG = "The reader refused it: " + "a value of the header is none that the standard knows, " * 8 + "export it again."


def fill(database: Database, folder: Path, number: int, *, at: datetime | None = None, pictures: bool = True) -> None:
    """Fill the database with cases of all kinds; case `i` scores `i / 10` when it is scored."""
    at = at or now()
    if pictures:
        _draw(folder / "results" / "shared")
    with database.begin() as session:
        detector = Detector(
            **{"weights": "a1" * 32, "calibration": "b2" * 32, "name": "SEPIAD", "version": "0.1.0"},
            **{"false_alarm_rate": 0.1, "threshold": 5.0, "map_range": [0.0, 2.0]},
        )
        session.add(detector)
        session.add(
            Refusal(hour=at.replace(minute=0), origin="dimse:unknown", code="wrong_title", reason=LONG, number=7)
        )
        session.add_all(Heartbeat(machine="a", part=part) for part in ("receiver", "worker 0", "worker 1", "sender"))
        session.flush()
        for i in range(number):
            session.add(_job(i, number, detector, at - timedelta(seconds=31 * i), pictures))


def _job(i: int, number: int, detector: Detector, at: datetime, pictures: bool) -> Job:
    instance = Instance(
        **{"sop_instance_uid": f"1.2.{i}", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.6.1", "digest": f"{i:064x}"},
        **{"size": 1000, "path": None, "origin": "dimse:PACS", "received_at": at, "copies": i % 3},
    )
    job = Job(instance=instance, detector=detector, created_at=at, modality="US", device=f"device{i % 3}", attempts=1)
    kind = i % 10
    if kind in (7, 8, 9):
        job.state = {7: "queued", 8: "refused", 9: "dead"}[kind]
        job.code, job.reason = (None, None) if kind == 7 else ("truncated", LONG)
        job.finished_at = at if kind == 8 else None
        return job
    guarded = kind == 6
    job.state, job.score, job.scored_at, job.rows, job.columns = "done", i / 10, at, 96, 128
    job.p_value = max(1, number - i) / (number + 1)
    job.decision = "not_applicable" if guarded else "anomalous" if job.score >= 5 else "normal"
    job.decision_reason = LONG if guarded else "its score is compared with the threshold"
    job.results = "results/shared" if pictures else None
    job.frame = 2
    job.record = {
        **{"status": "scored", "score": job.score, "p_value": job.p_value, "decision": job.decision, "threshold": 5.0},
        **{"false_alarm_rate": 0.1, "frames": [0, 1, 2], "warnings": None, "input_digest": "c3" * 32},
    }
    if i % 2:
        job.state = "sending"
        job.deliveries.append(
            Delivery(
                **{"kind": "sr", "sop_class_uid": "1.2", "sop_instance_uid": f"1.3.{i}", "path": "x", "digest": "y"},
                **{"destination": "pacs", "attempts": 4, "reason": LONG},
            )
        )
    return job


def _draw(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[0:96, 0:128]
    spot = np.exp(-((rows - 40) ** 2 + (columns - 80) ** 2) / 150).astype(np.float32)
    picture = np.clip(0.3 + 0.2 * np.sin(columns / 9) + 0.3 * spot, 0, 1)[None].astype(np.float32)
    (folder / "picture.png").write_bytes(encode_image(picture))
    (folder / "map.png").write_bytes(encode_png_map(2 * spot, (0.0, 2.0)))


def make_node(folder: Path, number: int = 0, **settings: object) -> WebNode:
    """A node with so many cases, on which nobody logs in unless `settings` say so."""
    database = Database(f"sqlite:///{folder / 'node.db'}")
    fill(database, folder, number)
    return WebNode(database, folder, WebSettings(**{"login": False, **settings}))  # type: ignore[arg-type]


def make_guarded_node(folder: Path, number: int = 0, **settings: object) -> tuple[WebNode, dict[str, str]]:
    """The same with a tokens file, and the token of each name."""
    path = folder / "tokens.yaml"
    tokens = {name: add_token(path, name, role) for name, role in (("rita", "reader"), ("adam", "admin"))}
    return make_node(folder, number, login=True, tokens_file=path, **settings), tokens


@contextmanager
def served(node: WebNode) -> Iterator[int]:
    """Serve a node's pages on a free port of loopback, and give the port."""
    server = uvicorn.Server(uvicorn.Config(make_app(node), port=0, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
