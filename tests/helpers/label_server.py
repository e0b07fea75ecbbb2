# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A real server of MONAI Label for tests, in an environment of its own: ``with LabelServer(...) as server: ...``."""

from __future__ import annotations

import email
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from measurements.node.servers.private import PrivateServer, free_port
from tests.helpers.other_environments import other_environment
from tests.helpers.repository import ROOT

__all__ = ["LabelServer", "label_environment"]

QUIET = {"sam2": "false", "zoo_source": "ngc"}
"""Settings without which the app for bundles downloads what no bundle here needs, or a list of bundles."""


def label_environment() -> Path:
    """Return the folder of an environment with MONAI Label, which the script makes where there is none: minutes."""
    return other_environment("label", "bin/monailabel")


class LabelServer(PrivateServer):
    """A server on a free port of loopback, with this checkout's package.

    Args:
        environment: as :func:`label_environment` returns it.
        app: the app's folder.
        studies: the folder of pictures that it works on, or the address of a DICOMweb server.
        conf: settings of the app, over :data:`QUIET`.
        variables: of the environment, over those of this process.

    Raises:
        RuntimeError: with the end of its log, when it does not start.
    """

    def __init__(
        self,
        environment: Path,
        app: Path,
        studies: Path | str,
        conf: Mapping[str, str],
        variables: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("monailabel")
        self._as_user = {}  # it writes to the app's folder and to the pictures', which are this user's
        self._environment, self._app, self._studies = environment, app, studies
        self._conf = {**QUIET, **conf}
        self._port = free_port()
        self._variables = {
            "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            **(variables or {}),
        }
        self.session = requests.Session()
        self.session.trust_env = False  # loopback, whatever proxy the machine has
        self.session.headers["Connection"] = "close"  # which the server does after a failure, without a word

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> str:
        """What it has printed."""
        return (self.folder / "server.log").read_text(errors="replace")

    def prepare(self) -> None:
        """Need nothing."""

    def start(self) -> None:
        """Start it as a user does."""
        variables = [f"{name}={value}" for name, value in self._variables.items()]
        conf = [word for pair in self._conf.items() for word in ("--conf", *pair)]
        program = str(self._environment / "bin" / "monailabel")
        place = ["--app", str(self._app), "--studies", str(self._studies)]
        listen = ["--host", "127.0.0.1", "--port", str(self._port)]
        self.launch(["/usr/bin/env", *variables, program, "start_server", *place, *conf, *listen], self._answers, 300)

    def close(self) -> None:
        """End the process and remove its folder."""
        self.session.close()
        super().close()

    def get(self, path: str) -> Any:
        """Return what a path answers, read from JSON."""
        answer = self.session.get(self.url + path, timeout=300)
        answer.raise_for_status()
        return answer.json()

    def infer(self, model: str, picture: Path, output: str = "all", **params: Any) -> requests.Response:
        """Send a file to a model, as a program does, and return the answer."""
        with picture.open("rb") as stream:
            return self.session.post(
                f"{self.url}/infer/{model}",
                params={"output": output},
                data={"params": json.dumps({"device": "cpu", **params})},
                files={"file": (picture.name, stream)},
                timeout=300,
            )

    def ask(self, model: str, picture: Path, **params: Any) -> tuple[dict[str, Any], bytes]:
        """Send a file to a model, and return what is said of it and the file of its map."""
        answer = self.infer(model, picture, **params)
        assert answer.status_code == 200, self.log[-3000:]
        head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
        parts = [part for part in email.message_from_bytes(head + answer.content).walk() if not part.is_multipart()]
        found = {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in parts}
        return json.loads(found["params"]), found["image"]

    def says(self, text: str, limit: float = 30.0) -> bool:
        """Return whether its log has a text, which may come after an answer: seconds at most."""
        end = time.monotonic() + limit
        while text not in self.log:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def _answers(self) -> bool:
        try:
            return self.session.get(f"{self.url}/info/", timeout=60).ok
        except requests.RequestException:
            return False
