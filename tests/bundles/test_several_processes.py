# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Trainings of several processes, as ``torchrun`` starts them and starts them again."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.documented import blocks
from tests.helpers.processes import FreshProcess, run_module
from tests.helpers.recipes import TINY
from tests.helpers.tiny_bundles import bundle_root, config, outputs, words
from tests.helpers.trained_models import assert_same, load

pytestmark = pytest.mark.usefixtures("at_root")

WITHOUT_DRAWS: dict[str, Any] = {
    "interpolation_weight": 0,
    "steps_per_iteration": 1,
    "augment::flip": [0.0, 0.0],
    "augment::quarter_turns": False,
}
"""A training of OCAD in which nothing is random but the order of the images, which processes share."""

NO_GRADIENT = "encoder.layers.9.key.bias"
"""What the attention's softmax takes out again: its gradient is rounding, which Adam makes as large as any other."""


def overrides_of(example: Any, folder: Path, **more: Any) -> list[str]:
    """Return what makes a training of several processes tiny, on the command line; the overlay chooses a device."""
    tiny = {key: value for key, value in TINY[example.bundle].items() if key != "device"}
    places = {"dataset_dir": example.data, "cache_dir": folder / "cache"}
    return [*words({**tiny, **places, **more}), *outputs(folder)]


def documented_torchrun(bundle: str) -> list[str]:
    """Return the words of the line with ``torchrun`` on a bundle's page."""
    page = bundle_root(bundle) / "docs" / "README.md"
    line = next(line for block in blocks(page, "bash") for line in block.lines if line.startswith("torchrun "))
    return [str(Path(sys.executable).with_name("torchrun")), *shlex.split(line)[1:]]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}


# ---- side by side --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bundle", "names"),
    [
        ("sepiad", ["train", "multi_gpu_train"]),
        ("simsid", ["train", "squid", "multi_gpu_train"]),  # whose memory all processes write
        ("sagan", ["train", "multi_gpu_train"]),
        ("embedding", ["train", "multi_gpu_train"]),
    ],
)
def test_two_processes_train_one_detector(examples, bundle, names, tmp_path):
    files = str([config(name, bundle) for name in names])
    arguments = ["run", "--config_file", files, *overrides_of(examples(bundle), tmp_path)]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1]), "WORLD_SIZE": "2"}
    ranks = [os.environ | place | {"RANK": rank, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": "2"} for rank in "01"]
    started = [FreshProcess(run_module, "monai.bundle", *arguments, environment=rank) for rank in ranks]
    for ended in [process.wait() for process in started]:
        assert ended.returncode == 0, ended.stderr[-3000:]
    content = load(tmp_path / "models" / "checkpoint.pt")
    assert content["trainer"] == {"epoch": 3, "epoch_length": 2}
    sections = 3 if bundle in ("sagan", "embedding") else 2
    assert len(list((tmp_path / "cache").iterdir())) == sections  # each made by one of the two
    if bundle == "simsid":  # of 6 iterations, each stored 4 images of 2 processes in a ring of 10
        assert content["model"]["generator.bottleneck.memory.pointer"] == 6 * 4 * 2 % 10


def test_torchrun_with_two_processes_trains_as_one_with_batches_twice_as_large(examples, tmp_path):
    example = examples("ocad")
    command = [*documented_torchrun("ocad"), *overrides_of(example, tmp_path / "two", **WITHOUT_DRAWS)]
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    example.train(tmp_path / "one", batch_size=2 * TINY["ocad"]["batch_size"], **WITHOUT_DRAWS)
    two, one, others = (
        load(folder / "models" / "model.pt")["model"] for folder in (tmp_path / "two", tmp_path / "one", example.folder)
    )
    assert two.keys() == one.keys()
    for name, value in one.items():
        if name == NO_GRADIENT:
            continue
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-4)
    name = "encoder.layers.1.weight"
    assert (one[name] - others[name]).abs().max() > 1e-2  # of one process with smaller batches


# ---- a process that fails ------------------------------------------------------------------------------------------


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def rank_of(pid: int) -> str:
    variables = dict(pair.partition("=")[::2] for pair in Path(f"/proc/{pid}/environ").read_text().split("\0"))
    return variables.get("RANK", "")


def epochs_done(folder: Path) -> int:
    path = folder / "models" / "checkpoint.pt"
    return load(path)["trainer"]["epoch"] if path.exists() else -1


def wait_for(what: Any, seconds: float = 120) -> Iterator[None]:
    """Yield until something holds; fail after some time."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)
        yield


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc for the processes of torchrun")
@pytest.mark.parametrize("rank", ["0", "1"])
def test_torchrun_goes_on_from_the_last_checkpoint_when_a_process_is_killed(examples, tmp_path, rank):
    example = examples("ocad")
    shape = {"max_epochs": 40, "epoch_length": 4, **WITHOUT_DRAWS}
    launcher, *line = documented_torchrun("ocad")
    own_store = environment(TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1")
    runs = {name: tmp_path / name for name in ("killed", "whole")}
    commands = {
        name: [launcher, "--max_restarts=2", *line, *overrides_of(example, folder, **shape)]
        for name, folder in runs.items()
    }
    with (tmp_path / "printed").open("w") as printed:
        killed = subprocess.Popen(commands["killed"], env=own_store, stdout=printed, stderr=printed)
        try:
            for _ in wait_for(lambda: epochs_done(runs["killed"]) > 1):
                assert killed.poll() is None, (tmp_path / "printed").read_text()[-3000:]
            (worker,) = [child for child in children(killed.pid) if rank_of(child) == rank]
            os.kill(worker, signal.SIGKILL)
            assert killed.wait(300) == 0, (tmp_path / "printed").read_text()[-3000:]
        finally:
            killed.kill()
            killed.wait()
    text = (tmp_path / "printed").read_text()
    assert "resumed from epoch" in text and "resumed from epoch 0 " not in text
    whole = subprocess.run(
        commands["whole"], env=environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert whole.returncode == 0 and "resumed" not in whole.stderr + whole.stdout
    for kind in ("model", "checkpoint"):
        ours, theirs = (load(folder / "models" / f"{kind}.pt") for folder in runs.values())
        for content in (ours, theirs):
            if kind == "checkpoint":
                assert content["trainer"].pop("launch")  # torchrun's own word, another each time
        assert_same(ours, theirs)
