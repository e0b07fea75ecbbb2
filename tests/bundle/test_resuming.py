# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a training that ``torchrun`` started again goes on from a checkpoint."""

from __future__ import annotations

import pytest

from monai_anomaly.bundle import goes_on_after_restart
from monai_anomaly.utils.checkpoint import save_checkpoint

SPEC = {"detector": "OCAD", "network": {}, "preprocessing": {}}


def write(folder, trainer):
    save_checkpoint({"model": {}, "spec": SPEC, "trainer": trainer}, folder / "checkpoint.pt")


@pytest.fixture
def restarted(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "this")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")


@pytest.mark.parametrize(
    ("trainer", "expected"), [({"epoch": 3, "launch": "this"}, True), ({"launch": "another"}, False), ({}, False)]
)
def test_it_goes_on_from_a_checkpoint_of_its_own_launch_alone(restarted, tmp_path, trainer, expected):
    write(tmp_path, trainer)
    assert goes_on_after_restart(tmp_path) is expected


def test_it_begins_anew_where_there_is_no_checkpoint_yet(restarted, tmp_path):
    assert goes_on_after_restart(tmp_path) is False


def test_a_failure_on_another_machine_counts(restarted, monkeypatch, tmp_path):
    write(tmp_path, {"launch": "this"})
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    assert goes_on_after_restart(tmp_path) is True


def test_a_first_start_without_a_rendezvous_begins_anew(monkeypatch, tmp_path):
    write(tmp_path, {"launch": "none"})
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    assert goes_on_after_restart(tmp_path) is False


def test_without_torchrun_nothing_was_started_again(monkeypatch, tmp_path):
    write(tmp_path, {})
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.delenv("TORCHELASTIC_RESTART_COUNT", raising=False)
    assert goes_on_after_restart(tmp_path) is False
