# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Trains a one-class bundle on the images of a datastore, by the commands that a user would type, and calibrates it."""

from __future__ import annotations

import csv
import json
import logging
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from monai_anomaly.apps.label.published import MODEL, TRAINED_ON, new_training
from monai_anomaly.apps.label.settings import Settings
from monai_anomaly.apps.label.studies import Studies
from monai_anomaly.apps.label.training_set import choose_images
from monai_anomaly.bundle.loading import load
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.exceptions import CalibrationError, ConfigError, TrainingError

__all__ = ["DEFAULTS", "Training"]

DEFAULTS: dict[str, Any] = {"max_minutes": 10.0, "seed": 0, "with_normals": False, "keys": {}}
"""What a request may say. ``keys`` are further keys of the bundle."""
_STATS = "train_stats.json"

logger = logging.getLogger(__name__)


class Training:
    """Train on what a datastore has.

    Args:
        home: the folder of the trainings.
        settings: which bundle, and for which false-alarm rate.
    """

    def __init__(self, home: Path, settings: Settings) -> None:
        self.home = home
        self._settings = settings

    def stats(self) -> dict[str, Any]:
        """Return how far the last training is: ``stage``, ``epoch``, ``images``, times; empty before any."""
        try:
            stats: dict[str, Any] = json.loads((self.home / _STATS).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        if stats.get("stage") == "training":
            stats |= _last_epoch(self.home / "unfinished" / "output" / "history.csv")
            stats["current_time"] = _since(stats["start_ts"])
        return stats

    def run(self, request: Mapping[str, Any], studies: Studies) -> dict[str, Any]:
        """Choose the images, train, calibrate where there are enough, and put the detector in its place.

        Args:
            request: of :data:`DEFAULTS`; other keys are MONAI Label's.
            studies: the images.

        Returns:
            The stats at the end: ``images`` (numbers used and left out, by reason), ``calibrated`` and a ``reason``
            where it is not, ``total_time``.

        Raises:
            ConfigError: for a value that makes no sense.
            TrainingError: when there are too few images, or the training fails.
        """
        asked = {key: request.get(key, value) for key, value in DEFAULTS.items()}
        if not isinstance(asked["keys"], dict):
            raise ConfigError("keys must be an object, the keys of the bundle and their values.")
        stats: dict[str, Any] = {"start_ts": int(time.time()), "bundle": self._settings.bundle}
        self.home.mkdir(parents=True, exist_ok=True)
        with new_training(self.home) as folder:
            self._say(stats, "choosing images")
            chosen = choose_images(
                studies,
                rate=self._settings.false_alarm_rate,
                seed=int(asked["seed"]),
                with_normals=bool(asked["with_normals"]),
            )
            stats["images"] = chosen.counts | {"learned from": len(chosen.training), "held out": len(chosen.validation)}
            logger.info("images: %s", ", ".join(f"{count} {what}" for what, count in stats["images"].items()))
            for name, content in (("dataset.json", chosen.datalist()), (TRAINED_ON, chosen.images)):
                (folder / name).write_text(json.dumps(content), encoding="utf-8")
            options = {"dataset_dir": folder, "allow_outside": studies.home}
            own = {"ckpt_dir": folder / "models", "output_dir": folder / "output"}
            asked_keys = {"max_minutes": asked["max_minutes"], "seed": asked["seed"], **asked["keys"]}
            self._say(stats, "training")
            self._command("train", options | own | asked_keys)
            stats |= _last_epoch(folder / "output" / "history.csv")
            self._say(stats, "calibrating")
            stats["reason"] = self._calibrate(folder, options)
            stats["calibrated"] = not stats["reason"]
        stats["total_time"] = _since(stats["start_ts"])
        self._say(stats, "done")
        return stats

    def _calibrate(self, folder: Path, options: Mapping[str, Any]) -> str:
        """Calibrate; return why there is no calibration, or an empty text."""
        try:
            self._command("calibrate", {**options, "checkpoint": folder / MODEL})
        except TrainingError:
            return "too few held-out images for a calibration; decisions are 'uncalibrated'."
        try:
            load(folder / MODEL, false_alarm_rate=self._settings.false_alarm_rate, device="cpu")
        except CalibrationError as error:
            (folder / MODEL).with_name("calibration.json").unlink(missing_ok=True)
            return str(error)
        return ""

    def _command(self, verb: str, options: Mapping[str, Any]) -> None:
        """Run a verb of the command in a process of its own, which MONAI Label ends together with this one."""
        words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
        command = [sys.executable, "-m", "monai_anomaly", verb, self._settings.bundle, *words]
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
        if ended:
            raise TrainingError(f"'monai-anomaly {verb}' ended with {ended}; the lines above say why.")

    def _say(self, stats: dict[str, Any], stage: str) -> None:
        stats["stage"] = stage
        atomic_write(self.home / _STATS, json.dumps(stats, indent=1))


def _last_epoch(history: Path) -> dict[str, Any]:
    """Return MONAI Label's ``epoch`` and ``train``, of the last line of a history; nothing while there is none."""
    try:
        with open(history, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        return {}
    if not rows:
        return {}
    numbers = {key: float(value) for key, value in rows[-1].items() if key and value}
    return {"epoch": int(numbers.get("epoch", 0)), "train": {"metrics": numbers}}


def _since(start: float) -> str:
    return str(timedelta(seconds=int(time.time() - start)))
