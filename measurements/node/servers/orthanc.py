# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An Orthanc of one's own, with its DICOMweb plugin, and what its REST interface tells."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from measurements.node.servers.private import PrivateServer, free_port

__all__ = ["Orthanc", "find_orthanc"]

PLUGINS = tuple(Path(start, "orthanc/plugins") for start in ("/usr/share", "/usr/lib", "/usr/local/share"))
DICOM_WEB = "libOrthancDicomWeb.so"


def find_orthanc() -> tuple[Path, Path] | None:
    """Return Orthanc and its DICOMweb plugin, or None where one of them is not installed."""
    program = shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    plugin = next((folder / DICOM_WEB for folder in PLUGINS if (folder / DICOM_WEB).is_file()), None)
    return (Path(program), plugin) if program and plugin else None


class Orthanc(PrivateServer):
    """An Orthanc on free ports of loopback, without a password, whose data go away with it.

    Args:
        title: its application entity title.
        modalities: title and port of those that it may send to, by the name it calls them.
        settings: more of its configuration, by Orthanc's names.

    Raises:
        RuntimeError: when Orthanc or its plugin is not installed, or it does not start.
    """

    def __init__(
        self,
        title: str = "ORTHANC",
        modalities: Mapping[str, tuple[str, int]] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        installed = find_orthanc()
        if installed is None:
            raise RuntimeError("Orthanc is not installed (apt-get install orthanc orthanc-dicomweb).")
        super().__init__("orthanc")
        self._program, plugin = installed
        self.title, self.http_port, self.dicom_port = title, free_port(), free_port()
        self._session = requests.Session()
        self._session.trust_env = False  # loopback, whatever proxy the machine has
        self._settings = {
            "Name": title,
            "DicomAet": title,
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "OverwriteInstances": False,
            "StableAge": 2,
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "index"),
            "DicomCheckCalledAet": False,
            "DicomModalities": {name: [to, "127.0.0.1", port] for name, (to, port) in (modalities or {}).items()},
            "Plugins": [str(plugin)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            **(settings or {}),
        }

    def prepare(self) -> None:
        """Write its configuration and make its folders."""
        (self.folder / "orthanc.json").write_text(json.dumps(self._settings))
        for name in ("storage", "index"):
            (self.folder / name).mkdir()
        self.own()

    def close(self) -> None:
        """End the process and remove its folder."""
        self._session.close()
        super().close()

    def start(self) -> None:
        """Start it; also after :meth:`stop`, on the same ports and with the data it had."""
        self.launch([str(self._program), str(self.folder / "orthanc.json")], self._answers)

    @property
    def url(self) -> str:
        """Where its REST interface is."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicom_web(self) -> str:
        """Where its DICOMweb services are."""
        return f"{self.url}/dicom-web"

    def get(self, path: str) -> Any:
        """Return what a path of the REST interface answers, read from JSON."""
        return self._asked("GET", path).json()

    def post(self, path: str, content: Any) -> Any:
        """Send JSON to a path, and return the answer, read from JSON."""
        return self._asked("POST", path, json=content).json()

    def put(self, path: str, content: Any) -> None:
        """Put JSON to a path."""
        self._asked("PUT", path, json=content)

    def content(self, path: str) -> bytes:
        """Return the bytes that a path answers."""
        return self._asked("GET", path).content

    def add_modality(self, name: str, title: str, port: int) -> None:
        """Make a receiver on loopback known."""
        self.put(f"/modalities/{name}", {"AET": title, "Host": "127.0.0.1", "Port": port})

    def upload(self, content: bytes) -> str:
        """Take a DICOM file in, and return Orthanc's name of the instance."""
        headers = {"Content-Type": "application/dicom"}
        identifier: str = self._asked("POST", "/instances", data=content, headers=headers).json()["ID"]
        return identifier

    def push(self, modality: str, instances: Sequence[str], *, wait: bool = True) -> str | None:
        """Send instances to a modality by C-STORE, over one association.

        Args:
            modality: its name in Orthanc.
            instances: Orthanc's names of them.
            wait: until all are sent; otherwise the job's name is returned, for :meth:`job`.

        Raises:
            requests.HTTPError: when the receiver does not take one of them, and it was waited for.
        """
        body = {"Resources": list(instances), "Synchronous": wait, "Permissive": False}
        answer = self.post(f"/modalities/{modality}/store", body)
        return None if wait else str(answer["ID"])

    def job(self, identifier: str) -> str:
        """Return a job's state, such as ``Success``, ``Running`` or ``Failure``."""
        return str(self.get(f"/jobs/{identifier}")["State"])

    def instances(self) -> list[str]:
        """Return Orthanc's names of all instances."""
        return list(self.get("/instances"))

    def file(self, instance: str) -> bytes:
        """Return an instance's DICOM file."""
        return self.content(f"/instances/{instance}/file")

    def delete(self, instance: str) -> None:
        """Delete an instance."""
        self._asked("DELETE", f"/instances/{instance}")

    def _asked(self, method: str, path: str, **options: Any) -> requests.Response:
        answer = self._session.request(method, self.url + path, timeout=120, **options)
        answer.raise_for_status()
        return answer

    def _answers(self) -> bool:
        try:
            return bool(self.get("/system")) and bool(self.get("/plugins"))
        except requests.ConnectionError:
            return False
