# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import socket

import ignite.distributed as idist
import numpy as np
import torch
from monai.data import DataLoader, Dataset
from PIL import Image

from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.data.sets.epoch_sampler import EpochSampler
from monai_anomaly.engines.trainer import ObjectiveTrainer
from monai_anomaly.transforms.preprocessing import Preprocessing
from tests.helpers.processes import FreshProcess
from tests.helpers.two_players import TwoPlayers, make_trainer


def _train(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    objective = TwoPlayers(repeats=1)
    if rank == 1:  # the other process starts elsewhere; the first one's parameters count
        with torch.no_grad():
            for p in objective.parameters():
                p.add_(1.0)
    torch.manual_seed(1)
    images = torch.rand(24, 1, 2, 2)
    # Each step's 12 images, half to each process.
    order = images.unflatten(0, (2, 2, 2, 3))[:, :, rank].flatten(0, 2)
    data = Dataset([{"image": image} for image in order])
    optimizers = {
        "critic": torch.optim.SGD(objective.critic.parameters(), lr=0.1),
        "generator": torch.optim.SGD(objective.detector.parameters(), lr=0.1),
    }
    ObjectiveTrainer("cpu", 1, DataLoader(data, batch_size=6), objective, optimizers).run()
    torch.save(objective.state_dict(), f"{folder}/{rank}.pt")
    assert idist.get_world_size() == 2
    torch.distributed.destroy_process_group()


def test_two_processes_equal_one(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = [FreshProcess(_train, rank, port, str(tmp_path)) for rank in (0, 1)]
    for ended in [process.wait() for process in started]:
        assert ended.returncode == 0, ended.stderr
    states = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    single = TwoPlayers(repeats=1)
    make_trainer(single)[1].run()
    for name, value in single.state_dict().items():
        assert torch.equal(states[0][name], states[1][name])
        torch.testing.assert_close(states[0][name], value)


def _loader(items: list[dict], cache: str, folder: str, rank: int = 0, world_size: int = 1) -> DataLoader:
    data = CachedDataset(items, Preprocessing(2), progress=False, cache=cache, cache_dir=folder)
    sampler = EpochSampler(data, 48 // world_size, seed=3, rank=rank, world_size=world_size)
    return DataLoader(data, batch_size=24 // world_size, sampler=sampler)


def _train_on(loader: DataLoader) -> TwoPlayers:
    objective = TwoPlayers(repeats=1)
    optimizers = {
        "critic": torch.optim.SGD(objective.critic.parameters(), lr=0.1),
        "generator": torch.optim.SGD(objective.detector.parameters(), lr=0.1),
    }
    ObjectiveTrainer("cpu", 1, loader, objective, optimizers).run()
    return objective


def _train_from_cache(rank: int, port: int, items: list[dict], folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    torch.save(_train_on(_loader(items, "disk", folder, rank, 2)).state_dict(), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_with_one_cache_on_disk_equal_one_with_its_images_in_memory(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (20, 40, 40), dtype=np.uint8)
    items = [{"image": str(tmp_path / f"{number}.png")} for number in range(len(pictures))]
    for item, picture in zip(items, pictures, strict=True):
        Image.fromarray(picture).save(item["image"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path / "cache"
    started = [FreshProcess(_train_from_cache, rank, port, items, str(folder)) for rank in (0, 1)]
    for ended in [process.wait() for process in started]:
        assert ended.returncode == 0, ended.stderr
    assert len(list(folder.glob("*.images"))) == 1
    states = [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    single = _train_on(_loader(items, "memory", str(folder))).state_dict()
    assert any(
        not torch.equal(value, start)
        for value, start in zip(single.values(), TwoPlayers().state_dict().values(), strict=True)
    )
    for name, value in single.items():
        assert torch.equal(states[0][name], states[1][name])
        torch.testing.assert_close(states[0][name], value)


def test_processes_share_the_sampler_s_order():
    data = range(10)
    whole = list(EpochSampler(data, 8, seed=3))
    parts = [list(EpochSampler(data, 4, seed=3, rank=rank, world_size=2)) for rank in (0, 1)]
    assert [i for pair in zip(*parts, strict=True) for i in pair] == whole
