# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Trainings with the keys that make them fast, as a user runs them."""

from __future__ import annotations

import shutil

import pytest
import torch

from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.compilers import no_compiler
from tests.helpers.trained_models import assert_same, load, load_trained

pytestmark = pytest.mark.usefixtures("at_root")

BUNDLES = ("sepiad", "simsid", "ocad", "sagan")


def _assert_near(folder, example):
    """A training with other arithmetic: the same names, shapes and types, near by, and it scores."""
    ours, plain = load(folder / "models" / "model.pt")["model"], example.load()["model"]
    assert ours.keys() == plain.keys()
    tensors = {key: value for key, value in plain.items() if isinstance(value, torch.Tensor)}
    assert all(ours[key].shape == value.shape and ours[key].dtype == value.dtype for key, value in tensors.items())
    assert any(not torch.equal(ours[key], value) for key, value in tensors.items())
    maps = [detector(example.images("test")) for detector in (load_trained(folder), example.detector)]
    assert all(m.isfinite().all() for m in maps) and maps[0].shape == maps[1].shape


@pytest.mark.parametrize("bundle", BUNDLES)
def test_bfloat16(examples, tmp_path, bundle):
    examples(bundle).train(tmp_path, amp=True)
    _assert_near(tmp_path, examples(bundle))


@pytest.mark.parametrize("memory", [True, False])
def test_kept_memory_changes_no_bit(examples, tmp_path, memory):
    examples("sagan").train(tmp_path, keep_memory=memory)
    assert_same(load(tmp_path / "models" / "model.pt")["model"], examples("sagan").load()["model"])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")
@pytest.mark.parametrize("bundle", BUNDLES)
def test_translated_networks_train_and_resume_bit_identical(examples, tmp_path, bundle):
    example = examples(bundle)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    settings = {"compile": True, "lr_decay": False}  # the rates follow max_epochs
    example.train(whole, **settings)
    _assert_near(whole, example)
    torch.compiler.reset()
    example.train(parts, **settings, max_epochs=2)
    torch.compiler.reset()
    example.train(parts, **settings, resume=True)
    torch.compiler.reset()
    assert_same(load(parts / "models" / "model.pt")["model"], load(whole / "models" / "model.pt")["model"])


def test_without_a_compiler_a_training_ends_before_its_first_step(examples, tmp_path):
    with no_compiler(), pytest.raises(RuntimeError) as failure:  # MONAI's, of the step that failed
        examples("ocad").train(tmp_path, compile=True)
    assert isinstance(failure.value.__cause__, ConfigError) and "set compile to False" in str(failure.value.__cause__)
    assert not (tmp_path / "models" / "model.pt").exists()
