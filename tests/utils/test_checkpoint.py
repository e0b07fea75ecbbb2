# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
import textwrap

import pytest
import torch

from monai_anomaly.utils.checkpoint import (
    check_spec,
    earlier_path,
    load_checkpoint,
    load_hashed_checkpoint,
    previous_path,
    save_checkpoint,
)
from monai_anomaly.utils.exceptions import CheckpointError

SPEC = {"detector": "Linear", "network": {"in_features": 4}, "preprocessing": {}}


def test_the_hash_is_of_the_bytes_that_were_loaded(tmp_path):
    path = tmp_path / "model.pt"
    save_checkpoint({"model": {"w": torch.arange(3.0)}, "spec": SPEC}, path)
    content, digest = load_hashed_checkpoint(path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert content["spec"] == SPEC and torch.equal(content["model"]["w"], torch.arange(3.0))


@pytest.mark.parametrize("load", [load_checkpoint, load_hashed_checkpoint])
def test_a_checkpoint_that_is_not_there(load, tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no checkpoint '.*none\.pt': train first"):
        load(tmp_path / "none.pt")


def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint({"model": {"w": torch.ones(3)}, "spec": SPEC}, path)
    script = textwrap.dedent(
        f"""
        import resource, signal, torch
        from monai_anomaly.utils.checkpoint import CheckpointError, save_checkpoint
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        try:
            save_checkpoint({{"model": {{"w": torch.ones(10**6)}}, "spec": {{}}}}, {str(path)!r})
        except CheckpointError as error:
            assert "checkpoint.pt" in str(error) and "Free some space" in str(error), error
        else:
            raise SystemExit("no error")
        """
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert torch.equal(load_checkpoint(path)["model"]["w"], torch.ones(3))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_pickle_is_refused_and_not_run(tmp_path):
    marker = tmp_path / "marker"

    class Payload:
        def __reduce__(self):
            return (open, (str(marker), "w"))

    path = tmp_path / "model.pt"
    torch.save({"model": {}, "spec": Payload()}, path, pickle_module=pickle)
    with pytest.raises(CheckpointError, match="damaged or holds more"):
        load_checkpoint(path)
    assert not marker.exists()


@pytest.mark.parametrize("content", [{"weights": torch.zeros(1)}, [torch.zeros(1)]])
def test_a_stranger_s_checkpoint(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint of this package"):
        load_checkpoint(tmp_path / "model.pt")


def test_every_difference_is_named():
    other = {"detector": "Linear", "network": {"in_features": 5, "bias": True}, "preprocessing": {}}
    with pytest.raises(CheckpointError) as caught:
        check_spec(SPEC, other, "x.pt")
    assert "network.bias is None there and True here" in str(caught.value)
    assert "network.in_features is 4 there and 5 here" in str(caught.value)
    check_spec({"a": [1, 2]}, {"a": (1, 2)}, "x.pt")


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ({"model": {}, "spec": {}}, "spec.detector, spec.network, spec.preprocessing are"),
        ({"model": {}, "spec": None}, "spec, spec.detector, spec.network, spec.preprocessing are"),
        ({"model": [], "spec": SPEC}, "model is"),
        ({"model": {}, "spec": {**SPEC, "network": [4]}}, "spec.network is"),
        ({"model": {}, "spec": {**SPEC, "detector": 3}}, "spec.detector is"),
        ({"model": {}, "spec": {**SPEC, "data": {"frames": 1}}}, "spec.data.frames is"),
        ({"model": {}, "spec": SPEC, "map_range": 2.0, "guard": []}, "map_range, guard are"),
    ],
)
def test_settings_of_another_kind_are_named(tmp_path, content, wrong):
    save_checkpoint(content, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=rf"not a checkpoint of this package: {wrong} missing or of another kind"):
        load_checkpoint(tmp_path / "model.pt")


def flip(path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("place", [0, 3, 200, -120, -100, -90, -50, -1])
def test_one_flipped_bit_is_damage_and_the_way_back_is_named(tmp_path, place):
    path = tmp_path / "checkpoint.pt"
    for number in (1.0, 2.0, 3.0):
        save_checkpoint({"model": {"w": torch.full((3,), number)}, "spec": SPEC}, path, keep=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["checkpoint.previous.pt", "checkpoint.pt"]
    flip(path, place)
    with pytest.raises(CheckpointError, match=r"damaged.* '.*checkpoint\.previous\.pt': rename that .*--resume True"):
        load_checkpoint(path)
    previous_path(path).replace(path)
    assert torch.equal(load_checkpoint(path)["model"]["w"], torch.full((3,), 2.0))


def test_a_damaged_model_is_written_again_by_resuming(tmp_path):
    for name in ("model.pt", "checkpoint.pt"):
        save_checkpoint({"model": {"w": torch.ones(3)}, "spec": SPEC}, tmp_path / name)
    flip(tmp_path / "model.pt", 300)
    with pytest.raises(CheckpointError, match=r"train with --resume True, which writes it again from 'checkpoint\.pt'"):
        load_checkpoint(tmp_path / "model.pt")


def test_a_drive_without_links_keeps_a_copy(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", fail)
    for number in (1.0, 2.0):
        save_checkpoint({"model": {"w": torch.full((1,), number)}, "spec": SPEC}, tmp_path / "a.pt", keep=True)
    assert float(load_checkpoint(tmp_path / "a.previous.pt")["model"]["w"]) == 1.0
    assert float(load_checkpoint(tmp_path / "a.pt")["model"]["w"]) == 2.0


def test_a_file_without_a_digest_is_read_with_a_warning(tmp_path, caplog):
    torch.save({"model": {}, "spec": SPEC}, tmp_path / "model.pt")
    load_checkpoint(tmp_path / "model.pt")
    assert "has no digest" in caplog.text


def test_a_missing_model_names_that_of_an_earlier_run(tmp_path):
    save_checkpoint({"model": {}, "spec": SPEC}, earlier_path(tmp_path / "model.pt"))
    with pytest.raises(CheckpointError, match=r"that of an earlier run is '.*model\.earlier\.pt'"):
        load_checkpoint(tmp_path / "model.pt")


def test_equal_contents_are_equal_bytes(tmp_path):
    for name, text in (("a", "r22"), ("b", "".join(["r", "22"]))):  # one object, and two that are equal
        spec = {**SPEC, "network": {"first": "r22", "second": text, "".join(["fir", "st2"]): "first2"}}
        save_checkpoint({"model": {"w": torch.ones(2)}, "spec": spec}, tmp_path / f"{name}.pt")
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
