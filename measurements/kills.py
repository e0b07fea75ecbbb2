# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``python -m measurements.kills``: runs that are killed, resumed, and compared with one that nobody killed.

A training, the moment between its last checkpoint and ``model.pt`` (with the model of another training in the folder),
a calibration and an inference get SIGKILL at random moments. What is there then must be whole and of this run, and what
the same command with ``--resume True`` leaves must be the bytes of an uninterrupted run. The runs are those of
``python -m monai.bundle``, forked from one process that has imported what they need, so that a kill costs seconds.

It prints a line for each kind, and every difference. The exit code is 1 when there was one.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import random
import runpy
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

import monai_anomaly
from monai_anomaly.phantom.phantom import make_phantom
from monai_anomaly.utils.bundle_folders import bundles_dir
from monai_anomaly.utils.checkpoint import load_checkpoint

__all__ = ["KINDS", "Bench", "main"]

EPOCHS = 3
TINY: Mapping[str, Any] = {
    **{"image_size": 32, "max_epochs": EPOCHS, "epoch_length": 4, "val_interval": 1, "batch_size": 4},
    **{"encoder_channels": [4, 4, 4, 4], "decoder_channels": [4, 4, 4, 4], "critic_channels": [4, 4, 4, 4]},
    **{
        "latent_channels": 8,
        "weights": "self_supervised",
        "feature_layers": ["r22"],
        "feature_width": 0.1,
        "pretrain_epochs": 1,
    },
}
"""A training of SEPIAD that takes about a second."""


class Bench:
    """Runs of one small data set, and what they leave when nobody kills them.

    Args:
        folder: an empty folder for all that is written.
        seed: of the moments at which runs are killed.

    Attributes:
        killed: runs that had not ended when they were killed.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.data = make_phantom(folder / "data", seed=1, num_train=12, num_val=12, num_test=24, progress=False)
        self.times: dict[str, float] = {}
        self.gap = 0.0
        self.killed = 0
        self._reference()

    def _reference(self) -> None:
        """Run everything to its end, and what another training makes."""
        self.whole = self.folder / "whole"
        start = time.monotonic()
        _finish(self.start("train", self.whole))
        self.times["train"] = time.monotonic() - start
        models = self.whole / "models"
        self.gap = (models / "model.pt").stat().st_mtime - (models / "checkpoint.previous.pt").stat().st_mtime
        for kind in ("calibrate", "inference"):
            start = time.monotonic()
            _finish(self.start(kind, self.whole))
            self.times[kind] = time.monotonic() - start
        _finish(self.start("train", self.folder / "other", seed=5))
        self.foreign = self.folder / "other" / "models" / "model.pt"

    def start(self, kind: str, folder: Path, **more: Any) -> int:
        """Start a run in a process of its own, and return that process's number."""
        options: dict[str, Any] = {"dataset_dir": self.data, "device": "cpu", "bundle_root": bundles_dir() / "sepiad"}
        if kind == "train":
            options |= {**TINY, "output_dir": folder / "output", "ckpt_dir": folder / "models"}
        else:
            options |= {"checkpoint": self.whole / "models" / "model.pt", "batch_size": 2}
            options["calibration"] = folder / "calibration.json"
        if kind == "inference":
            options |= {"output_dir": folder / "inference", "decode_limit": "$None", "uncalibrated": True}
        config = bundles_dir() / "sepiad" / "configs" / f"{kind}.json"
        words = [word for key, value in (options | more).items() for word in (f"--{key}", str(value))]
        return _fork(["run", "--config_file", str(config), *words])

    def kill(self, number: int, seconds: float) -> None:
        """Kill a run after a time, if it has not ended by then."""
        time.sleep(seconds)
        self.killed += _is_alive(number)
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)

    # ---- what is killed ----------------------------------------------------------------------------------------------

    def training(self, folder: Path) -> list[str]:
        """Kill a training anywhere."""
        self.kill(self.start("train", folder), self.random.uniform(0.0, self.times["train"]))
        return self._resumed(folder)

    def before_the_model(self, folder: Path) -> list[str]:
        """Kill a training after its last epoch was saved, in a folder that has the model of another training."""
        models = folder / "models"
        models.mkdir(parents=True)
        shutil.copy(self.foreign, models / "model.pt")
        process = self.start("train", folder)
        _wait_for_epoch(models / "checkpoint.pt", EPOCHS, process)
        self.kill(process, self.random.uniform(0.0, self.gap))
        model = models / "model.pt"
        wrong = ["another training's model.pt stayed"] if model.exists() and not self._same("model.pt", models) else []
        if (models / "model.earlier.pt").read_bytes() != self.foreign.read_bytes():
            wrong.append("the earlier model is lost")
        return wrong + self._resumed(folder)

    def _resumed(self, folder: Path) -> list[str]:
        """Return how a training differs that goes on, or starts again where there is nothing to go on from."""
        models = folder / "models"
        resume = (models / "checkpoint.pt").is_file()
        if resume:
            load_checkpoint(models / "checkpoint.pt")
        _finish(self.start("train", folder, resume=resume))
        wrong = [name for name in ("model.pt", "checkpoint.pt") if not self._same(name, models)]
        tables = ("history.csv", "losses.csv", "loss_curves.svg")
        wrong += [name for name in tables if _bytes(folder / "output" / name) != _bytes(self.whole / "output" / name)]
        return wrong

    def _same(self, name: str, models: Path) -> bool:
        return _bytes(models / name) == _bytes(self.whole / "models" / name)

    def calibration(self, folder: Path) -> list[str]:
        """Kill a calibration anywhere, and calibrate again."""
        self.kill(self.start("calibrate", folder), self.random.uniform(0.0, self.times["calibrate"]))
        path = folder / "calibration.json"
        wrong = ["half a calibration"] if path.exists() and not self._calibrated(path) else []
        _finish(self.start("calibrate", folder))
        return wrong if self._calibrated(path) else [*wrong, "calibration.json"]

    def _calibrated(self, path: Path) -> bool:
        found, whole = (json.loads(each.read_text()) for each in (path, self.whole / "calibration.json"))
        return all(found[key] == whole[key] for key in whole if key not in ("date", "checksum"))

    def inference(self, folder: Path) -> list[str]:
        """Kill an inference anywhere, and resume it."""
        self.kill(self.start("inference", folder), self.random.uniform(0.0, self.times["inference"]))
        _finish(self.start("inference", folder, resume=True))
        found, whole = (_files(each / "inference") for each in (folder, self.whole))
        wrong = sorted(found.keys() ^ whole.keys())
        return wrong + sorted(name for name in found.keys() & whole.keys() if found[name] != whole[name])


KINDS: Mapping[str, Callable[[Bench, Path], list[str]]] = {
    "training": Bench.training,
    "before model.pt": Bench.before_the_model,
    "calibration": Bench.calibration,
    "inference": Bench.inference,
}
"""What is killed, by its name."""


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _files(folder: Path) -> dict[str, bytes]:
    """Return the files of a result, but for the page, which says when it was made."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "index.html"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _wait_for_epoch(checkpoint: Path, epoch: int, process: int) -> None:
    """Wait until a checkpoint has an epoch, or its training has ended; it is read only where it is a new one."""
    seen = 0
    while _is_alive(process):
        now = checkpoint.stat().st_mtime_ns if checkpoint.is_file() else 0
        if now != seen and int(load_checkpoint(checkpoint)["trainer"]["epoch"]) == epoch:
            return
        seen = now
        time.sleep(0.0005)


def _fork(words: list[str]) -> int:
    """Do what ``python -m monai.bundle`` does in a process of its own, which prints nothing."""
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        sys.argv = ["monai.bundle", *words]
        runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
        code = 0
    finally:
        os._exit(code)


def _is_alive(number: int) -> bool:
    return os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _finish(number: int) -> None:
    """Wait for a run that nobody kills."""
    _, status = os.waitpid(number, 0)
    if status:
        raise RuntimeError(f"a run that was not killed ended with {os.waitstatus_to_exitcode(status)}.")


def _import_all() -> None:
    """Import once what every run imports; nothing of it may start a thread before the forks."""
    torch.set_num_threads(1)
    for module in pkgutil.walk_packages(monai_anomaly.__path__, "monai_anomaly."):
        if not module.name.startswith(("monai_anomaly.apps", "monai_anomaly.__main__", "monai_anomaly.bundles")):
            importlib.import_module(module.name)
    importlib.import_module("torch.utils.tensorboard")


def main(arguments: list[str] | None = None) -> int:
    """Kill runs, print how many were the same in the end, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m measurements.kills", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="of all kinds together (default: 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    options = parser.parse_args(arguments)
    _import_all()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.seed)
        share = -(-options.kills // len(KINDS))
        for name, kind in KINDS.items():
            wrong, before = [], bench.killed
            for number in range(share):
                place = Path(folder) / "killed"
                place.mkdir()
                found = kind(bench, place)
                if found:
                    wrong.append(f"  kill {number}: {', '.join(found)}")
                shutil.rmtree(place)
            said = f"{name}: {share} runs, {bench.killed - before} killed before their end, {len(wrong)} different"
            print("\n".join([said, *wrong]), flush=True)
            failed += len(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
