# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The web process: serves the pages until it is told to stop."""

from __future__ import annotations

import logging
import threading

import uvicorn
from fastapi import FastAPI

from monai_anomaly.apps.node.configuration.sections import NodeSettings
from monai_anomaly.apps.node.custody import Custody
from monai_anomaly.apps.node.database.database import Database
from monai_anomaly.apps.node.intake.incoming import remove_leftovers
from monai_anomaly.apps.node.intake.stow.desk import StowDesk
from monai_anomaly.apps.node.intake.stow.settings import StowSettings
from monai_anomaly.apps.node.opening import open_database, open_spool
from monai_anomaly.apps.node.stopping import Stopping
from monai_anomaly.apps.node.web.app import make_app
from monai_anomaly.apps.node.web.context import WebNode
from monai_anomaly.apps.node.web.scoring.scorer import Scorer
from monai_anomaly.apps.node.web.settings import WebSettings
from monai_anomaly.apps.node.web.views.health import Limits
from monai_anomaly.utils.audit.audit_log import AuditLog
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["run_web", "serve_pages"]

logger = logging.getLogger("monai_anomaly.node")

_LOOK_SECONDS = 1.0
_CLOSE_SECONDS = 3


def run_web(settings: NodeSettings, detector: int, stop: Stopping) -> None:
    """Serve a node's pages until it is told to stop.

    Args:
        settings: of the node, with its section ``web``.
        detector: number of the detector whose jobs are made of what comes in here.
        stop: says when.

    Raises:
        AuditError: for an audit log that cannot be.
        ConfigError: when database or tokens file cannot be opened, or there is no section ``web``.
    """
    web, chosen = settings.web, settings.detector
    if web is None:
        raise ConfigError("there is no section 'web' in the settings.")
    options = {
        "checkpoint": str(chosen.checkpoint),
        "calibration": None if chosen.calibration is None else str(chosen.calibration),
        "false_alarm_rate": chosen.false_alarm_rate,
        "frames": chosen.frames,
        "aggregate": chosen.aggregate,
        "device": chosen.device,
        "decode_limit": settings.workers.seconds,
    }
    records = (chosen.calibration or chosen.checkpoint).with_name("calibration_records.jsonl")
    database = open_database(settings)
    node = WebNode(
        database,
        settings.folder,
        web,
        limits=Limits(int(settings.queue.min_free_gib * (1 << 30)), settings.queue.max_waiting),
        scorer=Scorer(options, web.score_seconds),
        audit=None if settings.audit is None else AuditLog(settings.audit, settings.operator),
        calibration_records=records if records.is_file() else None,
        stow=None if web.stow is None else _open_desk(settings, web.stow, database, detector),
    )
    logger.info("web: pages on %s://%s:%d", "https" if web.certificate else "http", web.host, web.port)
    serve_pages(make_app(node), web, stop)


def _open_desk(settings: NodeSettings, limits: StowSettings, database: Database, detector: int) -> StowDesk:
    spool = open_spool(settings)
    remove_leftovers(spool.incoming)
    return StowDesk(Custody(database, spool, detector, settings.queue.max_waiting), spool, limits)


def serve_pages(app: FastAPI, settings: WebSettings, stop: Stopping) -> None:
    """Serve an application until it is told to stop.

    Args:
        app: see :func:`.make_app`.
        settings: where, and with which certificate.
        stop: says when.
    """
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            proxy_headers=False,  # the doorman knows which proxies to believe
            server_header=False,
            access_log=False,  # addresses of pages are nobody's business
            log_level="warning",
            limit_concurrency=200,
            timeout_keep_alive=20,
            timeout_graceful_shutdown=_CLOSE_SECONDS,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.key,
        )
    )

    def watch() -> None:
        while not stop.wait(_LOOK_SECONDS):
            pass
        server.should_exit = True

    threading.Thread(target=watch, name="stop", daemon=True).start()
    server.run()
