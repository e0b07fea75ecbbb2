# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from monai_anomaly.bundle.consensus.members import Members
from monai_anomaly.guard.input_guard import InputGuard
from monai_anomaly.guard.member_guards import MemberGuards
from monai_anomaly.networks.nets.consensus.consensus import Consensus
from monai_anomaly.networks.nets.registry import make_detector
from monai_anomaly.utils.checkpoint import save_checkpoint
from monai_anomaly.utils.exceptions import CheckpointError, ConfigError
from tests.helpers.detectors import SMALL

DATA = {"frames": "middle", "split_seed": 0, "split_shares": [0.6, 0.1, 0.3]}


def save(path: Path, seed: int, *, data: dict[str, Any] = DATA, **preprocessing: Any) -> str:
    """Save a SAGAN of 32 pixels with weights of its own as its training would."""
    torch.manual_seed(seed)
    network = {**SMALL["SAGAN"], "in_channels": 1}
    spec = {"detector": "SAGAN", "network": network, "preprocessing": {"image_size": 32, **preprocessing}, "data": data}
    guard = InputGuard.fit(torch.rand(12, 1, 32, 32), [{}] * 12).state() if seed else None
    save_checkpoint({"model": make_detector(spec).state_dict(), "spec": spec, "guard": guard}, path)
    return str(path)


@pytest.fixture
def paths(tmp_path) -> list[str]:
    """Return two of a kind, of which the second has a guard."""
    return [save(tmp_path / f"{seed}.pt", seed, intensity=("none", "zscore")[seed]) for seed in (0, 1)]


def test_members_of_a_kind_are_numbered_and_keep_what_is_their_own(paths):
    members = Members(paths)
    assert members.names == ["sagan_1", "sagan_2"]
    assert members.preprocessing_args["intensity"] == "none" and members.preprocessing_args["image_size"] == 32
    assert [arguments["intensity"] for arguments in members.network_args] == ["none", "zscore"]
    assert members.data["frames"] == "middle" and members.data["abnormal_folders"] == []
    network = members.load_into(Consensus(32, 1, members=members.network_args))
    for own, member in zip(network.detectors, members.trained, strict=True):
        for name, value in member.detector.state_dict().items():
            assert torch.equal(own.state_dict()[name], value)


def test_their_guards_travel(paths):
    members = Members(paths)
    assert members.guard_states["sagan_1"] is None
    guards = MemberGuards({"image_size": 32, "in_channels": 1, "members": members.network_args}, members.guard_states)
    (refusals,) = guards.refusals(torch.zeros(1, 1, 32, 32))
    assert list(refusals) == ["sagan_2"] and "the 12 training normals" in refusals["sagan_2"]


def test_the_lowest_version_of_the_preprocessing_reads_for_all(paths, tmp_path):
    newer = save(tmp_path / "2.pt", 2, version=2)
    assert Members([newer, paths[0]]).preprocessing_args["version"] == 1
    assert Members([newer, save(tmp_path / "3.pt", 3, version=2)]).preprocessing_args["version"] == 2


def test_what_cannot_be_joined_is_named(paths, tmp_path):
    for wrong, told in {
        (paths[0],): "names 1",
        (paths[0], paths[0]): "is among the members twice",
        (paths[0], save(tmp_path / "2.pt", 2, voi=False)): "the same voi, .*True of sagan_1, False of sagan_2",
    }.items():
        with pytest.raises(ConfigError, match=told):
            Members(wrong).preprocessing_args  # noqa: B018
    other = Members([paths[0], save(tmp_path / "3.pt", 3, data={**DATA, "frames": "all"})])
    with pytest.raises(ConfigError, match="the same frames"):
        other.data  # noqa: B018
    with pytest.raises(CheckpointError):
        Members([paths[0], str(tmp_path / "none.pt")]).names  # noqa: B018
