# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Trainings that came to their end, each in a numbered folder that is there whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monai_anomaly.utils.atomic import sync_folder

__all__ = ["TRAINED_ON", "new_training", "newest_model", "trained_on"]

MODEL = Path("models", "model.pt")
TRAINED_ON = "images.json"
"""The images of a training, by MONAI Label's names of them."""
_UNFINISHED = "unfinished"


def newest_model(home: Path) -> Path | None:
    """Return the weights of the last training that came to its end; None before any.

    Args:
        home: the folder of the trainings.
    """
    done = _finished(home)
    return home / done[-1] / MODEL if done else None


def trained_on(home: Path) -> set[str]:
    """Return the images that :func:`newest_model` has learned from, or was calibrated with."""
    done = _finished(home)
    return set(json.loads((home / done[-1] / TRAINED_ON).read_text(encoding="utf-8"))) if done else set()


@contextmanager
def new_training(home: Path) -> Iterator[Path]:
    """Give an empty folder, which becomes the newest training when the block ends well.

    What a killed training has left is removed by the next one. One at a time: MONAI Label sees to that.

    Args:
        home: the folder of the trainings.
    """
    folder = home / _UNFINISHED
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
    done = _finished(home)
    folder.rename(home / f"{int(done[-1]) + 1 if done else 1:04d}")
    sync_folder(home)


def _finished(home: Path) -> list[str]:
    """Return the names of the finished trainings, the newest last."""
    if not home.is_dir():
        return []
    names = [path.name for path in home.iterdir() if path.name.isdigit() and (path / MODEL).is_file()]
    return sorted(names, key=int)
