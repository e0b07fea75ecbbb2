# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The web process: serves the pages until it is told to stop."""

from __future__ import annotations

import threading
import time
from typing import Protocol

import uvicorn
from fastapi import FastAPI

from monai_anomaly.apps.node.web.settings import WebSettings

__all__ = ["Stop", "serve_pages"]

_LOOK_SECONDS = 0.2
_CLOSE_SECONDS = 3


class Stop(Protocol):
    """An event of threads or processes."""

    def is_set(self) -> bool:
        """Return whether it is time to stop."""


def serve_pages(app: FastAPI, settings: WebSettings, stop: Stop) -> None:
    """Serve an application until `stop` is set.

    Args:
        app: see :func:`.make_app`.
        settings: where, and with which certificate.
        stop: looked at several times in a second.
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
        while not stop.is_set():
            time.sleep(_LOOK_SECONDS)
        server.should_exit = True

    threading.Thread(target=watch, name="stop", daemon=True).start()
    server.run()
