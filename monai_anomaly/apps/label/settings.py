# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What ``--conf`` tells the app, and the detectors that follow from it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai_anomaly.apps.label.published import newest_model
from monai_anomaly.apps.label.served_detector import ServedDetector
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["TRAINED_HERE", "Settings", "find_detectors", "read_settings"]

TRAINED_HERE = "trained_here"
"""The detector, and the training, of the images that the server has."""

_KEYS = ("models", "bundle", "false_alarm_rate", "device")
_OF_OTHERS = ("server_mode", "sam2", "zoo_source", "skip_trainers")
"""Of the server, or of MONAI Label's own apps, and in every line that starts one."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Settings:
    """What the app was told.

    Args:
        models: path of each detector by its name; a name that is empty is the method's.
        bundle: what is trained, a name or a folder.
        false_alarm_rate: of the decisions.
        device: None takes the GPU where there is one.
    """

    models: tuple[tuple[str, Path], ...] = ()
    bundle: str = "embedding"
    false_alarm_rate: float = 0.1
    device: str | None = None


def read_settings(conf: Mapping[str, str]) -> Settings:
    """Read the pairs of ``--conf``.

    Raises:
        ConfigError: for a key or a value that makes no sense.
    """
    for key in conf:
        if key not in (*_KEYS, *_OF_OTHERS):
            near = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.5)
            hint = f"the nearest is '{near[0]}'" if near else f"there are {', '.join(_KEYS)}"
            raise ConfigError(f"--conf: there is no key '{key}'; {hint}.")
    words = [word.strip() for word in conf.get("models", "").split(",") if word.strip()]
    return Settings(
        models=tuple(_model(word) for word in words),
        bundle=conf.get("bundle", Settings.bundle),
        false_alarm_rate=_rate(conf.get("false_alarm_rate", str(Settings.false_alarm_rate))),
        device=conf.get("device") or None,
    )


def _model(word: str) -> tuple[str, Path]:
    name, equals, path = word.rpartition("=")
    if equals and (not _NAME.fullmatch(name) or name == TRAINED_HERE):
        raise ConfigError(f"--conf models: '{name}' cannot be a detector's name; take letters, digits, '.', '-', '_'.")
    return name, Path(path).expanduser().absolute()


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1:
        raise ConfigError(f"--conf false_alarm_rate must be a number between 0 and 1, got '{text}'.")
    return rate


def find_detectors(settings: Settings, home: Path) -> dict[str, ServedDetector]:
    """Return the detectors by name: those that were named, in order, and the one that is trained here.

    Those that were named are opened, so that a mistake ends the start and no request.

    Args:
        settings: what the app was told.
        home: where the app keeps what it trains.

    Raises:
        ConfigError: when two have one name.
        CalibrationError: as :func:`monai_anomaly.bundle.loading.load` does.
        CheckpointError: as :func:`monai_anomaly.bundle.loading.load` does.
    """
    options: dict[str, Any] = {"false_alarm_rate": settings.false_alarm_rate, "device": settings.device}
    detectors: dict[str, ServedDetector] = {}
    for given, path in settings.models:
        file = path / "model.pt" if path.is_dir() else path
        name = given or str(TrainedDetector.read(file).spec["detector"]).lower()
        if name in detectors:
            raise ConfigError(f"--conf models: two detectors are called '{name}'; write NAME=PATH for one of them.")
        detectors[name] = ServedDetector(name, lambda file=file: file, options)  # type: ignore[misc]
        detectors[name].get()
    detectors[TRAINED_HERE] = ServedDetector(TRAINED_HERE, lambda: newest_model(home), options)
    return detectors
