# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What can be set of a node, section by section, as the file of settings has it.

Paths are relative to that file. There is no secret in it: files with secrets are named by their paths, and the URL of a
database by the variable of the environment that holds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from monai_anomaly.apps.node.web.settings import WebSettings

__all__ = [
    "DatabaseSettings",
    "Destination",
    "DetectorSettings",
    "DicomDestination",
    "DicomSettings",
    "NodeSettings",
    "QueueSettings",
    "RetentionSettings",
    "TlsSettings",
    "WatchSettings",
    "WebDestination",
    "WorkerSettings",
]


@dataclass(frozen=True, kw_only=True)
class DetectorSettings:
    """Which detector scores.

    Attributes:
        checkpoint: a trained ``model.pt``, or an export: ``.pt2``, ``.ts`` or ``.onnx``.
        calibration: a ``calibration.json``; null takes the one in an export or beside the checkpoint.
        false_alarm_rate: of the decisions, in (0, 1).
        frames: which frames of a cine are scored; null takes the training's rule.
        aggregate: how frames' scores make a cine's.
        device: null takes the GPU where there is one.
    """

    checkpoint: Path
    calibration: Path | None = None
    false_alarm_rate: float = 0.1
    frames: str | None = None
    aggregate: str = "max"
    device: str | None = None


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """Where the queue is kept.

    Attributes:
        env: the variable of the environment that holds the URL, such as ``postgresql+psycopg://USER:WORD@HOST/NAME``.
    """

    env: str


@dataclass(frozen=True, kw_only=True)
class TlsSettings:
    """Files of a TLS connection, PEM.

    Attributes:
        certificate: the node's own, with its chain; a sender may be without.
        key: its private key, without a pass phrase.
        ca: authorities of the other side.
    """

    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None


@dataclass(frozen=True, kw_only=True)
class DicomSettings:
    """The C-STORE receiver.

    Attributes:
        title: the node's own; also that of its deliveries.
        host: the address to listen on.
        port: to listen on.
        calling_titles: of the senders that are known; empty knows all.
        associations: at a time.
        max_bytes: of one object.
        idle_seconds: after which a silent sender is cut off.
        tls: null for none.
    """

    title: str = "ANOMALY"
    host: str = "127.0.0.1"
    port: int = 11112
    calling_titles: tuple[str, ...] = ()
    associations: int = 10
    max_bytes: int = 2 << 30
    idle_seconds: float = 60.0
    tls: TlsSettings | None = None


@dataclass(frozen=True, kw_only=True)
class WatchSettings:
    """A folder whose files are taken in and then removed.

    Attributes:
        folder: the folder; those in it are looked into, too.
        settle_seconds: how long a file must not have changed.
    """

    folder: Path
    settle_seconds: float = 2.0


@dataclass(frozen=True, kw_only=True)
class DicomDestination:
    """A receiver by C-STORE.

    Attributes:
        title: its own.
        host: its address, as its certificate names it.
        port: that it listens on.
        tls: null for none.
    """

    title: str
    host: str
    port: int
    tls: TlsSettings | None = None


@dataclass(frozen=True, kw_only=True)
class WebDestination:
    """A DICOMweb service that takes objects by STOW-RS.

    Attributes:
        url: of the service, without ``/studies``.
        token_file: a file whose one line is the bearer token; null sends none.
        ca: authorities of the service, PEM; null takes the usual ones.
    """

    url: str
    token_file: Path | None = None
    ca: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where results go; one of ``dicom`` and ``dicomweb``.

    Attributes:
        name: that pages and rows call it by.
        kinds: of results: ``sr``, ``sc``, ``seg`` (which is with its binary form).
        dicom: by C-STORE.
        dicomweb: by STOW-RS.
    """

    name: str
    kinds: tuple[str, ...] = ("sr", "sc", "seg")
    dicom: DicomDestination | None = None
    dicomweb: WebDestination | None = None


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """Who scores.

    Attributes:
        number: of processes on this machine.
        seconds: of computing that a file may take to decode.
        attempts: after which a job is given up.
        batch: files that are scored together.
        threads: of PyTorch in each.
    """

    number: int = 1
    seconds: float = 60.0
    attempts: int = 5
    batch: int = 8
    threads: int = 1


@dataclass(frozen=True, kw_only=True)
class QueueSettings:
    """When the node takes no more; senders are told to try again later.

    Attributes:
        max_waiting: files that may wait for their score.
        min_free_gib: what must be free on the disk.
    """

    max_waiting: int = 100_000
    min_free_gib: float = 1.0


@dataclass(frozen=True, kw_only=True)
class RetentionSettings:
    """When files and rows are removed; never before every destination has accepted the results.

    Attributes:
        spool_days: after which a received file goes.
        results_days: after which results go.
        records_days: after which what the database says of an image goes, its verdicts included.
    """

    spool_days: float = 7.0
    results_days: float = 30.0
    records_days: float = 400.0


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """All settings of a node; a section that is absent is off.

    Attributes:
        folder: of files in custody, results and, without another, the database.
        detector: which detector scores.
        database: null is SQLite in the folder.
        dicom: the C-STORE receiver.
        watch: a watched folder.
        destinations: where results go.
        workers: who scores.
        queue: when the node takes no more.
        retention: when files are removed.
        web: the pages for people and addresses for programs; see :class:`.WebSettings`.
        audit: the audit log of results and verdicts; null keeps none.
        operator: who runs the node, for the audit log.
        uid_root: the site's own root for the results' UIDs; null for UUIDs below 2.25.
    """

    folder: Path
    detector: DetectorSettings
    database: DatabaseSettings | None = None
    dicom: DicomSettings | None = None
    watch: WatchSettings | None = None
    destinations: tuple[Destination, ...] = ()
    workers: WorkerSettings = field(default_factory=WorkerSettings)
    queue: QueueSettings = field(default_factory=QueueSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    web: WebSettings | None = None
    audit: Path | None = None
    operator: str | None = None
    uid_root: str | None = None
