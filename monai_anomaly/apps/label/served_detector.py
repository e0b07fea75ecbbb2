# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A detector that a server keeps open, and opens again when another has taken its place."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from monai_anomaly.bundle.anomaly_detector import AnomalyDetector
from monai_anomaly.bundle.loading import load
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["ServedDetector"]

Mark = tuple[str, int, int]


class ServedDetector:
    """Open a detector when it is asked for first, and again when its file, or its place, has changed.

    Args:
        name: what it is called in requests.
        find: returns the file, or None while there is none.
        options: of :func:`monai_anomaly.bundle.loading.load`.
    """

    def __init__(self, name: str, find: Callable[[], Path | None], options: Mapping[str, Any]) -> None:
        self.name = name
        self._find = find
        self._options = dict(options)
        self._open: tuple[Mark, AnomalyDetector] | None = None
        self._lock = threading.Lock()

    @property
    def path(self) -> Path | None:
        """The file; None while there is none."""
        path = self._find()
        return path if path is not None and path.is_file() else None

    def get(self) -> AnomalyDetector:
        """Return the detector of now.

        Raises:
            ConfigError: while there is none.
            CalibrationError: as :func:`monai_anomaly.bundle.loading.load` does.
            CheckpointError: as :func:`monai_anomaly.bundle.loading.load` does.
        """
        path = self.path
        if path is None:
            raise ConfigError(f"there is no detector '{self.name}' yet; train it, or start the server with another.")
        state = path.stat()
        mark = (str(path), state.st_size, state.st_mtime_ns)
        with self._lock:
            if self._open is None or self._open[0] != mark:
                self._open = mark, load(path, **self._options)
            return self._open[1]
